-- name: pause_runs
-- Stop these runs at their next durable call. Those that had not ended.
SELECT perdure.pause_runs(%(run_ids)s::text[], %(who)s, %(detail)s);

-- name: resume_runs
-- Let those of them go on that are paused, or whose retries were used up.
SELECT perdure.resume_runs(%(run_ids)s::text[], %(who)s, %(detail)s);

-- name: audit_of
-- Who has steered the run.
SELECT extract(epoch FROM at)::float8, who, action, detail
  FROM perdure.audit WHERE run_id = %(run_id)s ORDER BY seq LIMIT %(most)s;
