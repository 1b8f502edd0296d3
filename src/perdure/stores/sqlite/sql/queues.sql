-- name: queue_rows
-- What was set for queues: for all of them, or for these.
SELECT json_group_array(json_array(name, worker_concurrency, concurrency, rate, period_seconds, key_concurrency, key_rate,
                                   key_period_seconds, on_overflow, paused_at, is_keyed))
  FROM (SELECT * FROM queues
         WHERE :names IS NULL OR name IN (SELECT value FROM json_each(:names)) ORDER BY name);

-- name: is_known_queue
-- Whether anybody serves the queue, or has used it.
SELECT EXISTS (SELECT 1 FROM queues WHERE name = :name)
       OR EXISTS (SELECT 1 FROM workers CROSS JOIN json_each(workers.queues) AS served WHERE served.value = :name)
       OR EXISTS (SELECT 1 FROM runs WHERE queue = :name AND state = 'ready' AND due_at IS NULL AND flow_key IS NULL)
       OR EXISTS (SELECT 1 FROM runs WHERE queue = :name AND state = 'ready' AND due_at IS NOT NULL);

-- name: declared_for
-- What a program has declared last.
SELECT declared FROM queues WHERE name = :name;

-- name: make_queue
-- A queue for which something is set has a row.
INSERT INTO queues (name, changed_at) SELECT :name, now FROM clock WHERE true ON CONFLICT (name) DO NOTHING;

-- name: change_queue
-- Each that is named, with NULL for no limit. Two changes have never one time: workers tell them apart by that.
UPDATE queues
   SET worker_concurrency = iif(json_type(:changes, '$.worker_concurrency') IS NULL, worker_concurrency,
                                json_extract(:changes, '$.worker_concurrency')),
       concurrency = iif(json_type(:changes, '$.concurrency') IS NULL, concurrency,
                         json_extract(:changes, '$.concurrency')),
       rate = iif(json_type(:changes, '$.rate') IS NULL, rate, json_extract(:changes, '$.rate[0]')),
       period_seconds = iif(json_type(:changes, '$.rate') IS NULL, period_seconds, json_extract(:changes, '$.rate[1]')),
       is_keyed = is_keyed OR coalesce(json_extract(:changes, '$.key_concurrency'),
                                       json_extract(:changes, '$.key_rate')) IS NOT NULL,
       key_concurrency = iif(json_type(:changes, '$.key_concurrency') IS NULL, key_concurrency,
                             json_extract(:changes, '$.key_concurrency')),
       key_rate = iif(json_type(:changes, '$.key_rate') IS NULL, key_rate, json_extract(:changes, '$.key_rate[0]')),
       key_period_seconds = iif(json_type(:changes, '$.key_rate') IS NULL, key_period_seconds,
                                json_extract(:changes, '$.key_rate[1]')),
       on_overflow = iif(json_type(:changes, '$.on_overflow') IS NULL, on_overflow,
                         coalesce(json_extract(:changes, '$.on_overflow'), 'wait')),
       paused_at = CASE WHEN json_type(:changes, '$.paused') IS NULL THEN paused_at
                        WHEN json_extract(:changes, '$.paused') THEN coalesce(paused_at, (SELECT now FROM clock)) END,
       declared = coalesce(:declaration, declared),
       changed_at = max((SELECT now FROM clock), changed_at + 0.0001)
 WHERE name = :name;

-- name: forget_before_window
-- Of the windows that are to change: what they look at no more.
DELETE FROM starts
 WHERE queue = :name AND json_type(:changes, iif(key = '', '$.rate', '$.key_rate')) IS NOT NULL
   AND total < (SELECT base.total FROM starts AS base
                 WHERE base.queue = :name AND base.key = starts.key
                   AND base.at <= (SELECT now FROM clock)
                                  - coalesce((SELECT iif(starts.key = '', period_seconds, key_period_seconds)
                                                FROM queues WHERE name = :name), 0)
                 ORDER BY base.at DESC, base.total DESC LIMIT 1);

-- name: begin_window
-- The last start before each of them is before any other window, too: a longer one would else count all there ever were.
UPDATE starts SET at = 0
 WHERE queue = :name AND json_type(:changes, iif(key = '', '$.rate', '$.key_rate')) IS NOT NULL
   AND at <= (SELECT now FROM clock) - coalesce((SELECT iif(starts.key = '', period_seconds, key_period_seconds)
                                                  FROM queues WHERE name = :name), 0);

-- name: stir_held_keys
-- Keys that wait for a larger limit.
INSERT INTO stirs (queue, key)
SELECT DISTINCT queue, flow_key FROM runs
 WHERE state = 'held' AND has_slot IS NOT NULL AND queue = :name AND flow_key IS NOT NULL;

-- name: wake_keys
-- Keys that wait for a window that is another one now.
UPDATE turns SET wakes_at = NULL WHERE queue = :name AND wakes_at IS NOT NULL;

-- name: note_pause
-- Runs of a function begin no more.
INSERT INTO pauses (name, paused_at) SELECT :name, now FROM clock WHERE true ON CONFLICT (name) DO NOTHING;

-- name: forget_pause
-- Runs of a function begin again.
DELETE FROM pauses WHERE name = :name;

-- name: paused_functions
-- The functions whose runs do not begin.
SELECT json_group_array(json_array(name, paused_at)) FROM (SELECT name, paused_at FROM pauses ORDER BY name);

-- name: waiting_keys
-- A thousand keys after this one that have ready runs.
WITH RECURSIVE waiting (key, nth) AS (
    SELECT (SELECT min(flow_key) FROM runs
             WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND queue = :name
               AND flow_key > :after_key), 1
    UNION ALL
    SELECT (SELECT min(flow_key) FROM runs
             WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND queue = :name
               AND flow_key > waiting.key), nth + 1
      FROM waiting WHERE waiting.key IS NOT NULL AND nth < 1000
)
SELECT json_group_array(json_array(key)) FROM (SELECT key FROM waiting WHERE key IS NOT NULL ORDER BY nth);

-- name: stir_keys
-- Those of them that are in no line.
INSERT INTO stirs (queue, key)
SELECT :name, value FROM json_each(:keys)
 WHERE NOT EXISTS (SELECT 1 FROM turns WHERE turns.queue = :name AND turns.key = value);

-- name: forget_starts
-- Of keys whose last start no window looks at any more.
DELETE FROM starts
 WHERE queue = :name AND key <> ''
   AND key IN (SELECT latest.key FROM starts AS latest
                WHERE latest.queue = :name AND latest.key > :after_key
                GROUP BY latest.key
               HAVING max(latest.at) <= (SELECT now FROM clock)
                                        - coalesce((SELECT key_period_seconds FROM queues WHERE name = :name), 0)
                LIMIT 1000);
