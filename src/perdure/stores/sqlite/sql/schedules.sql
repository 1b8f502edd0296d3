-- name: moment
-- The database's clock, which everything is due by.
SELECT now FROM clock;

-- name: schedules
-- All of them, or the one of this name.
SELECT json_group_array(json_array(name, function, kind, queue, priority, max_attempts, fingerprint, codec, body,
                                   cron, timezone, every_seconds, once_at, jitter_seconds, overlap, catch_up,
                                   declared, paused_at, next_instant, next_at, last_instant, last_run_id, skipped_at,
                                   version))
  FROM (SELECT * FROM schedules WHERE :name IS NULL OR name = :name ORDER BY name);

-- name: due_schedules
-- What a worker looks at, the longest due first.
SELECT json_group_array(json_array(name, function, kind, queue, priority, max_attempts, fingerprint, codec, body,
                                   cron, timezone, every_seconds, once_at, jitter_seconds, overlap, catch_up,
                                   declared, paused_at, next_instant, next_at, last_instant, last_run_id, skipped_at,
                                   version,
                                   is_running, (SELECT now FROM clock)))
  FROM (SELECT * FROM due_schedules ORDER BY next_at, name LIMIT :most);

-- name: write_schedule
-- New, or over the version that was seen; no row where there is another one, or none any more.
INSERT INTO schedules (name, function, kind, queue, priority, max_attempts, fingerprint, codec, body, cron, timezone,
                       every_seconds, once_at, jitter_seconds, overlap, catch_up, declared, paused_at, next_instant,
                       next_at, last_instant, last_run_id, skipped_at, version)
SELECT :name, :function, :kind, :queue, :priority, :max_attempts, :fingerprint, :codec, :body, :cron, :timezone,
       :every_seconds, :once_at, :jitter_seconds, :overlap, :catch_up, :declared, :paused_at, :next_instant,
       :next_at, :last_instant, :last_run_id, :skipped_at, :version + 1
 WHERE :version = 0 OR EXISTS (SELECT 1 FROM schedules WHERE name = :name)
ON CONFLICT (name) DO UPDATE
   SET function = excluded.function, kind = excluded.kind, queue = excluded.queue, priority = excluded.priority,
       max_attempts = excluded.max_attempts, fingerprint = excluded.fingerprint, codec = excluded.codec,
       body = excluded.body, cron = excluded.cron, timezone = excluded.timezone,
       every_seconds = excluded.every_seconds, once_at = excluded.once_at, jitter_seconds = excluded.jitter_seconds,
       overlap = excluded.overlap, catch_up = excluded.catch_up, declared = excluded.declared,
       paused_at = excluded.paused_at, next_instant = excluded.next_instant, next_at = excluded.next_at,
       last_instant = excluded.last_instant, last_run_id = excluded.last_run_id, skipped_at = excluded.skipped_at,
       version = excluded.version
 WHERE schedules.version = :version
RETURNING name;

-- name: delete_schedule
-- It comes no more; what it has started stays.
DELETE FROM schedules WHERE name = :name RETURNING name;

-- name: step_schedule
-- Rule 18: only from where it was seen; of two workers the second finds another version.
UPDATE schedules
   SET next_instant = :next_instant, next_at = :next_at, last_instant = coalesce(:last_instant, last_instant),
       last_run_id = coalesce(:last_run_id, last_run_id), skipped_at = coalesce(:skipped_at, skipped_at),
       version = version + 1
 WHERE name = :name AND version = :version AND paused_at IS NULL
RETURNING name;
