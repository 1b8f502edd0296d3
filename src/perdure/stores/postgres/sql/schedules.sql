-- name: moment
-- The database's clock, which everything is due by.
SELECT extract(epoch FROM perdure.now())::float8;

-- name: schedules
-- All of them, or the one of this name.
SELECT name, function, kind, queue, priority, max_attempts, fingerprint, codec, body, cron, timezone, every_seconds,
       extract(epoch FROM once_at)::float8, jitter_seconds, overlap, catch_up, declared,
       extract(epoch FROM paused_at)::float8, extract(epoch FROM next_instant)::float8,
       extract(epoch FROM next_at)::float8, extract(epoch FROM last_instant)::float8, last_run_id,
       extract(epoch FROM skipped_at)::float8, version
  FROM perdure.schedules
 WHERE %(name)s::text IS NULL OR name = %(name)s::text
 ORDER BY name;

-- name: due_schedules
-- What a worker looks at, the longest due first.
SELECT name, function, kind, queue, priority, max_attempts, fingerprint, codec, body, cron, timezone, every_seconds,
       extract(epoch FROM once_at)::float8, jitter_seconds, overlap, catch_up, declared,
       extract(epoch FROM paused_at)::float8, extract(epoch FROM next_instant)::float8,
       extract(epoch FROM next_at)::float8, extract(epoch FROM last_instant)::float8, last_run_id,
       extract(epoch FROM skipped_at)::float8, version,
       is_running, extract(epoch FROM perdure.now())::float8
  FROM perdure.due_schedules
 ORDER BY due_schedules.next_at, due_schedules.name LIMIT %(most)s;

-- name: write_schedule
-- New, or over the version that was seen; no row where there is another one, or none any more.
INSERT INTO perdure.schedules (name, function, kind, queue, priority, max_attempts, fingerprint, codec, body, cron,
                               timezone, every_seconds, once_at, jitter_seconds, overlap, catch_up, declared,
                               paused_at, next_instant, next_at, last_instant, last_run_id, skipped_at, version)
SELECT %(name)s::text, %(function)s::text, %(kind)s::text, %(queue)s::text, %(priority)s::integer,
       %(max_attempts)s::integer, %(fingerprint)s::text, %(codec)s::text, %(body)s::text, %(cron)s::text,
       %(timezone)s::text, %(every_seconds)s::float8, to_timestamp(%(once_at)s::float8), %(jitter_seconds)s::float8,
       %(overlap)s::text, %(catch_up)s::text, %(declared)s::text, to_timestamp(%(paused_at)s::float8),
       to_timestamp(%(next_instant)s::float8), to_timestamp(%(next_at)s::float8),
       to_timestamp(%(last_instant)s::float8), %(last_run_id)s::text, to_timestamp(%(skipped_at)s::float8),
       %(version)s::bigint + 1
 WHERE %(version)s::bigint = 0 OR EXISTS (SELECT 1 FROM perdure.schedules WHERE name = %(name)s::text)
ON CONFLICT (name) DO UPDATE
   SET function = excluded.function, kind = excluded.kind, queue = excluded.queue, priority = excluded.priority,
       max_attempts = excluded.max_attempts, fingerprint = excluded.fingerprint, codec = excluded.codec,
       body = excluded.body, cron = excluded.cron, timezone = excluded.timezone,
       every_seconds = excluded.every_seconds, once_at = excluded.once_at, jitter_seconds = excluded.jitter_seconds,
       overlap = excluded.overlap, catch_up = excluded.catch_up, declared = excluded.declared,
       paused_at = excluded.paused_at, next_instant = excluded.next_instant, next_at = excluded.next_at,
       last_instant = excluded.last_instant, last_run_id = excluded.last_run_id, skipped_at = excluded.skipped_at,
       version = excluded.version
 WHERE schedules.version = %(version)s::bigint
RETURNING name;

-- name: delete_schedule
-- It comes no more; what it has started stays.
DELETE FROM perdure.schedules WHERE name = %(name)s RETURNING name;

-- name: step_schedule
-- Rule 18: only from where it was seen; of two workers the second finds another version.
UPDATE perdure.schedules
   SET next_instant = to_timestamp(%(next_instant)s::float8), next_at = to_timestamp(%(next_at)s::float8),
       last_instant = coalesce(to_timestamp(%(last_instant)s::float8), last_instant),
       last_run_id = coalesce(%(last_run_id)s::text, last_run_id),
       skipped_at = coalesce(to_timestamp(%(skipped_at)s::float8), skipped_at), version = version + 1
 WHERE name = %(name)s AND version = %(version)s AND paused_at IS NULL
RETURNING name;
