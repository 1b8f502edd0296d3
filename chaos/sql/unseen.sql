SELECT count(*)::int FROM perdure.workers WHERE NOT has_lock
