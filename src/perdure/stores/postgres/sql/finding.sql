-- part: shown
-- A run as it is listed.
runs.seq, runs.id, runs.kind, runs.name, runs.queue,
       CASE WHEN runs.state = 'held' AND EXISTS (SELECT 1 FROM perdure.messages
                                                  WHERE messages.run_id = runs.id AND messages.kind = 'cancel')
            THEN 'cancelling' ELSE runs.state END,
       runs.priority, runs.attempts, runs.max_attempts, extract(epoch FROM runs.created_at)::float8,
       extract(epoch FROM runs.due_at)::float8, extract(epoch FROM runs.started_at)::float8,
       extract(epoch FROM runs.finished_at)::float8, runs.parent_id, runs.worker::text, runs.stopped, runs.reason,
       extract(epoch FROM runs.deadline_at)::float8

-- part: wanted
-- Whether a run is one of those that were asked for; of texts the beginning.
(%(states)s::text[] IS NULL
            OR CASE WHEN runs.state = 'held' AND EXISTS (SELECT 1 FROM perdure.messages
                                                          WHERE messages.run_id = runs.id AND messages.kind = 'cancel')
                    THEN 'cancelling' ELSE runs.state END = ANY (%(states)s::text[]))
       AND (%(name)s::text IS NULL OR runs.name = %(name)s::text)
       AND (%(queue)s::text IS NULL OR runs.queue = %(queue)s::text)
       AND (%(parent_id)s::text IS NULL OR runs.parent_id = %(parent_id)s::text)
       AND (%(since)s::float8 IS NULL OR runs.created_at >= to_timestamp(%(since)s::float8))
       AND (%(until)s::float8 IS NULL OR runs.created_at < to_timestamp(%(until)s::float8))
       AND (%(id_prefix)s::text IS NULL OR starts_with(runs.id, %(id_prefix)s::text))
       AND (%(attributes)s::json IS NULL
            OR NOT EXISTS (SELECT 1 FROM json_each_text(%(attributes)s::json) AS asked
                            WHERE NOT EXISTS (SELECT 1 FROM perdure.attributes
                                               WHERE attributes.run_id = runs.id AND attributes.name = asked.key
                                                 AND attributes.value = asked.value)))
       AND (%(text)s::text IS NULL
            OR position(lower(%(text)s::text)
                        IN lower(concat_ws(' ', runs.id, runs.name, runs.reason,
                                           (SELECT left(body, 10000) FROM perdure.inputs WHERE run_id = runs.id),
                                           (SELECT left(body, 10000) FROM perdure.outputs WHERE run_id = runs.id)))) > 0)

-- name: runs_by_seq
-- The newest runs, whatever they are.
SELECT {shown}
  FROM perdure.runs
 WHERE runs.seq > 0 AND runs.seq < %(before)s::bigint AND runs.seq >= %(floor)s::bigint
   AND {wanted}
 ORDER BY runs.seq DESC LIMIT %(most)s;

-- name: runs_by_name
-- The newest runs of one function.
SELECT {shown}
  FROM perdure.runs
 WHERE runs.name = %(name)s::text AND runs.seq > 0
   AND runs.seq < %(before)s::bigint AND runs.seq >= %(floor)s::bigint
   AND {wanted}
 ORDER BY runs.seq DESC LIMIT %(most)s;

-- name: runs_by_trouble
-- The newest runs that have not ended well.
SELECT {shown}
  FROM perdure.runs
 WHERE runs.finished_at IS NOT NULL AND runs.state <> 'succeeded' AND runs.seq > 0
   AND runs.seq < %(before)s::bigint AND runs.seq >= %(floor)s::bigint
   AND {wanted}
 ORDER BY runs.seq DESC LIMIT %(most)s;

-- name: runs_by_unfinished
-- The newest runs that have not ended.
SELECT {shown}
  FROM perdure.runs
 WHERE runs.finished_at IS NULL AND runs.seq > 0
   AND runs.seq < %(before)s::bigint AND runs.seq >= %(floor)s::bigint
   AND {wanted}
 ORDER BY runs.seq DESC LIMIT %(most)s;

-- name: runs_by_holder
-- The newest runs that workers hold, of which there are as many as those have slots.
SELECT {shown}
  FROM perdure.runs
 WHERE runs.worker IS NOT NULL AND runs.seq < %(before)s::bigint AND runs.seq >= %(floor)s::bigint
   AND {wanted}
 ORDER BY runs.seq DESC LIMIT %(most)s;

-- name: runs_by_parent
-- The newest children of a run.
SELECT {shown}
  FROM perdure.runs
 WHERE runs.parent_id = %(parent_id)s::text AND runs.seq > 0
   AND runs.seq < %(before)s::bigint AND runs.seq >= %(floor)s::bigint
   AND {wanted}
 ORDER BY runs.seq DESC LIMIT %(most)s;

-- name: runs_by_attribute
-- The newest runs that were given this attribute.
SELECT {shown}
  FROM perdure.attributes AS given JOIN perdure.runs ON runs.seq = given.seq AND runs.seq > 0
 WHERE given.name = %(attribute)s::text AND given.value = %(value)s::text
   AND given.seq < %(before)s::bigint AND given.seq >= %(floor)s::bigint
   AND {wanted}
 ORDER BY given.seq DESC LIMIT %(most)s;

-- name: runs_by_id
-- Those whose ids begin so; ids that were drawn begin with the time, so these are the newest, too.
SELECT {shown}
  FROM perdure.runs
 WHERE runs.id < %(before)s::text AND runs.id >= %(floor)s::text
   AND {wanted}
 ORDER BY runs.id DESC LIMIT %(most)s;

-- name: floor_by_seq
-- The first run that is older than those before: where a page goes on, whatever was deleted between.
SELECT max(seq) FROM perdure.runs WHERE seq > 0 AND seq < %(before)s::bigint;

-- name: floor_by_name
-- Where the look of a page ends: so many runs of the function are looked at, and no more.
SELECT seq FROM perdure.runs WHERE name = %(name)s::text AND seq > 0 AND seq < %(before)s::bigint
 ORDER BY seq DESC LIMIT 1 OFFSET %(looked)s;

-- name: floor_by_trouble
-- The same for what has not ended well.
SELECT seq FROM perdure.runs
 WHERE finished_at IS NOT NULL AND state <> 'succeeded' AND seq > 0 AND seq < %(before)s::bigint
 ORDER BY seq DESC LIMIT 1 OFFSET %(looked)s;

-- name: floor_by_unfinished
-- The same for what has not ended.
SELECT seq FROM perdure.runs WHERE finished_at IS NULL AND seq > 0 AND seq < %(before)s::bigint
 ORDER BY seq DESC LIMIT 1 OFFSET %(looked)s;

-- name: floor_by_holder
-- The same for what workers hold.
SELECT seq FROM perdure.runs WHERE worker IS NOT NULL AND seq < %(before)s::bigint
 ORDER BY seq DESC LIMIT 1 OFFSET %(looked)s;

-- name: floor_by_parent
-- The same for children.
SELECT seq FROM perdure.runs WHERE parent_id = %(parent_id)s::text AND seq > 0 AND seq < %(before)s::bigint
 ORDER BY seq DESC LIMIT 1 OFFSET %(looked)s;

-- name: floor_by_attribute
-- The same for runs with an attribute.
SELECT seq FROM perdure.attributes
 WHERE name = %(attribute)s::text AND value = %(value)s::text AND seq < %(before)s::bigint
 ORDER BY seq DESC LIMIT 1 OFFSET %(looked)s;

-- name: floor_by_id
-- The same for ids that begin so.
SELECT id FROM perdure.runs WHERE id < %(before)s::text AND id >= %(floor)s::text
 ORDER BY id DESC LIMIT 1 OFFSET %(looked)s;

-- name: seq_at
-- The first run that was made at that moment or later, found by halving: runs are numbered as they are made.
WITH RECURSIVE search (low, high) AS (
    SELECT (SELECT min(seq) FROM perdure.runs WHERE seq > 0), (SELECT max(seq) + 1 FROM perdure.runs WHERE seq > 0)
    UNION ALL
    SELECT CASE WHEN middle.created_at < to_timestamp(%(moment)s) THEN (low + high) / 2 + 1 ELSE low END,
           CASE WHEN middle.created_at < to_timestamp(%(moment)s) THEN high ELSE (low + high) / 2 END
      FROM search
     CROSS JOIN LATERAL (SELECT created_at FROM perdure.runs
                          WHERE seq > 0 AND seq >= (low + high) / 2 ORDER BY seq LIMIT 1) AS middle
     WHERE low < high
)
SELECT low FROM search WHERE low >= high;

-- name: run_shown
-- One run, as it is listed, with its arguments and its outcome as they are stored.
SELECT {shown}, runs.waits_for, inputs.codec, inputs.body, outputs.codec, outputs.body
  FROM perdure.runs
  LEFT JOIN perdure.inputs ON inputs.run_id = runs.id
  LEFT JOIN perdure.outputs ON outputs.run_id = runs.id
 WHERE runs.id = %(run_id)s;

-- name: steps_of
-- What a run has recorded, for people: of texts the beginning.
SELECT key, kind, name, is_error, attempts, extract(epoch FROM started_at)::float8,
       extract(epoch FROM recorded_at)::float8, arguments, codec, left(body, 10000)
  FROM perdure.checkpoints WHERE run_id = %(run_id)s ORDER BY seq LIMIT %(most)s;

-- name: messages_of
-- What a run was told.
SELECT kind, extract(epoch FROM sent_at)::float8, extract(epoch FROM consumed_at)::float8
  FROM perdure.messages WHERE run_id = %(run_id)s;

-- name: attributes_of
-- By what a run is found.
SELECT name, value FROM perdure.attributes WHERE run_id = %(run_id)s;

-- name: workers_seen
-- Who works, for people: since when, how long ago it last showed that it lives, and how many runs it holds.
SELECT id::text, hostname, pid, extract(epoch FROM joined_at)::float8,
       extract(epoch FROM clock_timestamp() - renewed_at)::float8, lease_seconds,
       (SELECT count(*) FROM perdure.runs WHERE runs.worker = workers.id), queues, version
  FROM perdure.workers ORDER BY joined_at, id;

-- name: queues_seen
-- Which queues have something to do, for people: how many runs are ready (ten thousand at most are counted), since when
-- the next one waits, and how many are held. The names are found by skipping from one to the next in the claims' indexes.
WITH RECURSIVE waiting (queue) AS (
    (SELECT queue FROM perdure.runs WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL
      ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT runs.queue FROM perdure.runs
             WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL AND runs.queue > waiting.queue
             ORDER BY runs.queue LIMIT 1)
      FROM waiting WHERE waiting.queue IS NOT NULL
), keyed (queue) AS (
    (SELECT queue FROM perdure.runs WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL
      ORDER BY queue LIMIT 1)
    UNION ALL
    SELECT (SELECT runs.queue FROM perdure.runs
             WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND runs.queue > keyed.queue
             ORDER BY runs.queue LIMIT 1)
      FROM keyed WHERE keyed.queue IS NOT NULL
), named AS (
    SELECT queue FROM waiting WHERE queue IS NOT NULL
    UNION
    SELECT queue FROM keyed WHERE queue IS NOT NULL
    UNION
    SELECT queue FROM perdure.runs WHERE worker IS NOT NULL
)
SELECT queue,
       (SELECT least(count(*), 10000)
          FROM ((SELECT 1 FROM perdure.runs
                  WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL AND runs.queue = named.queue LIMIT 10000)
                UNION ALL
                (SELECT 1 FROM perdure.runs
                  WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND runs.queue = named.queue
                  LIMIT 10000)) AS counted),
       (SELECT extract(epoch FROM min(first.created_at))::float8
          FROM ((SELECT created_at FROM perdure.runs
                  WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL AND runs.queue = named.queue
                  ORDER BY priority, seq LIMIT 1)
                UNION ALL
                (SELECT created_at FROM perdure.runs
                  WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND runs.queue = named.queue
                  ORDER BY flow_key, priority, seq LIMIT 1)) AS first),
       (SELECT count(*) FROM perdure.runs WHERE worker IS NOT NULL AND runs.queue = named.queue)
  FROM named ORDER BY queue;

-- name: stuck_seen
-- What waits for people: by function, how many (of the first ten thousand), and one of the reasons.
SELECT name, count(*), min(reason)
  FROM (SELECT name, reason FROM perdure.runs WHERE state = 'parked' AND stopped = 'mend' LIMIT 10000) AS stuck
 GROUP BY name ORDER BY name;

-- name: unknown_seen
-- What is ready and nobody knows, as workers have noted: the same.
SELECT name, count(*), min(reason)
  FROM ((SELECT name, reason FROM perdure.runs
          WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL LIMIT 50000)
        UNION ALL
        (SELECT name, reason FROM perdure.runs
          WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL LIMIT 50000)) AS ready
 WHERE reason IS NOT NULL
 GROUP BY name ORDER BY name;

-- name: health
-- What the server says of itself, for people.
SELECT *
  FROM (VALUES ('server', 'Postgres ' || current_setting('server_version')),
               ('clock', extract(epoch FROM clock_timestamp())::text),
               ('connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::text),
               ('connections of perdure', (SELECT count(*) FROM pg_stat_activity
                                            WHERE left(application_name, 8) = 'perdure ' AND datname = current_database())::text),
               ('max_connections', current_setting('max_connections')),
               ('standby', pg_is_in_recovery()::text),
               ('read-only', current_setting('default_transaction_read_only')),
               ('oldest snapshot seconds',
                (SELECT extract(epoch FROM max(clock_timestamp() - xact_start)) FROM pg_stat_activity
                  WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid())::text),
               ('idle in transaction seconds',
                (SELECT extract(epoch FROM max(clock_timestamp() - state_change)) FROM pg_stat_activity
                  WHERE state IN ('idle in transaction', 'idle in transaction (aborted)'))::text)) AS known (what, value);
