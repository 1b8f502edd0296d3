SELECT id::text, pid, (SELECT count(*)::int FROM perdure.runs WHERE worker = workers.id) FROM perdure.workers
