-- part: shown
-- A run as it is listed.
runs.seq, runs.id, runs.kind, runs.name, runs.queue,
       iif(runs.state = 'held' AND EXISTS (SELECT 1 FROM messages
                                            WHERE messages.run_id = runs.id AND messages.kind = 'cancel'),
           'cancelling', runs.state),
       runs.priority, runs.attempts, runs.max_attempts, runs.created_at, runs.due_at, runs.started_at,
       runs.finished_at, runs.parent_id, runs.worker, runs.stopped, runs.reason, runs.deadline_at

-- part: wanted
-- Whether a run is one of those that were asked for; of texts the beginning.
(:states IS NULL
            OR iif(runs.state = 'held' AND EXISTS (SELECT 1 FROM messages
                                                    WHERE messages.run_id = runs.id AND messages.kind = 'cancel'),
                   'cancelling', runs.state) IN (SELECT value FROM json_each(:states)))
       AND (:name IS NULL OR runs.name = :name)
       AND (:queue IS NULL OR runs.queue = :queue)
       AND (:parent_id IS NULL OR runs.parent_id = :parent_id)
       AND (:since IS NULL OR runs.created_at >= :since)
       AND (:until IS NULL OR runs.created_at < :until)
       AND (:id_prefix IS NULL OR substr(runs.id, 1, length(:id_prefix)) = :id_prefix)
       AND (:attributes IS NULL
            OR NOT EXISTS (SELECT 1 FROM json_each(:attributes) AS asked
                            WHERE NOT EXISTS (SELECT 1 FROM attributes
                                               WHERE attributes.run_id = runs.id AND attributes.name = asked.key
                                                 AND attributes.value = asked.value)))
       AND (:text IS NULL
            OR instr(lower(runs.id || ' ' || runs.name || ' ' || coalesce(runs.reason, '') || ' '
                           || coalesce((SELECT substr(body, 1, 10000) FROM inputs WHERE run_id = runs.id), '') || ' '
                           || coalesce((SELECT substr(body, 1, 10000) FROM outputs WHERE run_id = runs.id), '')),
                     lower(:text)) > 0)

-- name: runs_by_seq
-- The newest runs, whatever they are.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM runs
         WHERE runs.seq < :before AND runs.seq >= :floor
           AND {wanted}
         ORDER BY runs.seq DESC LIMIT :most);

-- name: runs_by_name
-- The newest runs of one function. The floor stands first here and below: SQLite searches by the first of two bounds alone.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM runs INDEXED BY runs_named
         WHERE runs.name = :name AND runs.seq >= :floor AND runs.seq < :before AND runs.seq > 0
           AND {wanted}
         ORDER BY runs.seq DESC LIMIT :most);

-- name: runs_by_trouble
-- The newest runs that have not ended well.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM runs INDEXED BY runs_trouble
         WHERE runs.finished_at IS NOT NULL AND runs.state <> 'succeeded'
           AND runs.seq >= :floor AND runs.seq < :before AND runs.seq > 0
           AND {wanted}
         ORDER BY runs.seq DESC LIMIT :most);

-- name: runs_by_unfinished
-- The newest runs that have not ended.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM runs INDEXED BY runs_unfinished
         WHERE runs.finished_at IS NULL AND runs.seq >= :floor AND runs.seq < :before AND runs.seq > 0
           AND {wanted}
         ORDER BY runs.seq DESC LIMIT :most);

-- name: runs_by_holder
-- The newest runs that workers hold, of which there are as many as those have slots.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM runs INDEXED BY runs_held
         WHERE runs.worker IS NOT NULL AND runs.seq < :before AND runs.seq >= :floor
           AND {wanted}
         ORDER BY runs.seq DESC LIMIT :most);

-- name: runs_by_parent
-- The newest children of a run.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM runs INDEXED BY runs_children
         WHERE runs.parent_id = :parent_id AND runs.seq < :before AND runs.seq >= :floor
           AND {wanted}
         ORDER BY runs.seq DESC LIMIT :most);

-- name: runs_by_attribute
-- The newest runs that were given this attribute.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM attributes AS given
         CROSS JOIN runs ON runs.seq = given.seq
         WHERE given.name = :attribute AND given.value = :value AND given.seq < :before AND given.seq >= :floor
           AND {wanted}
         ORDER BY given.seq DESC LIMIT :most);

-- name: runs_by_id
-- Those whose ids begin so; ids that were drawn begin with the time, so these are the newest, too.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM runs
         WHERE runs.id < :before AND runs.id >= :floor
           AND {wanted}
         ORDER BY runs.id DESC LIMIT :most);

-- name: floor_by_seq
-- The first run that is older than those before: where a page goes on, whatever was deleted between.
SELECT json_group_array(json_array(seq)) FROM (SELECT max(seq) AS seq FROM runs WHERE seq < :before);

-- name: floor_by_name
-- Where the look of a page ends: so many runs of the function are looked at, and no more.
SELECT json_group_array(json_array(seq))
  FROM (SELECT seq FROM runs INDEXED BY runs_named
 WHERE name = :name AND seq > 0 AND seq < :before ORDER BY seq DESC LIMIT 1 OFFSET :looked);

-- name: floor_by_trouble
-- The same for what has not ended well.
SELECT json_group_array(json_array(seq))
  FROM (SELECT seq FROM runs INDEXED BY runs_trouble
 WHERE finished_at IS NOT NULL AND state <> 'succeeded' AND seq > 0 AND seq < :before
 ORDER BY seq DESC LIMIT 1 OFFSET :looked);

-- name: floor_by_unfinished
-- The same for what has not ended.
SELECT json_group_array(json_array(seq))
  FROM (SELECT seq FROM runs INDEXED BY runs_unfinished
 WHERE finished_at IS NULL AND seq > 0 AND seq < :before ORDER BY seq DESC LIMIT 1 OFFSET :looked);

-- name: floor_by_holder
-- The same for what workers hold.
SELECT json_group_array(json_array(seq))
  FROM (SELECT seq FROM runs INDEXED BY runs_held WHERE worker IS NOT NULL AND seq < :before
 ORDER BY seq DESC LIMIT 1 OFFSET :looked);

-- name: floor_by_parent
-- The same for children.
SELECT json_group_array(json_array(seq))
  FROM (SELECT seq FROM runs INDEXED BY runs_children WHERE parent_id = :parent_id AND seq < :before
 ORDER BY seq DESC LIMIT 1 OFFSET :looked);

-- name: floor_by_attribute
-- The same for runs with an attribute.
SELECT json_group_array(json_array(seq))
  FROM (SELECT seq FROM attributes WHERE name = :attribute AND value = :value AND seq < :before
 ORDER BY seq DESC LIMIT 1 OFFSET :looked);

-- name: floor_by_id
-- The same for ids that begin so.
SELECT json_group_array(json_array(id))
  FROM (SELECT id FROM runs WHERE id < :before AND id >= :floor ORDER BY id DESC LIMIT 1 OFFSET :looked);

-- name: seq_at
-- The first run that was made at that moment or later, found by halving: runs are numbered as they are made.
WITH RECURSIVE search (low, high) AS (
    SELECT (SELECT min(seq) FROM runs), (SELECT max(seq) + 1 FROM runs)
    UNION ALL
    SELECT iif((SELECT created_at FROM runs WHERE seq >= (low + high) / 2 ORDER BY seq LIMIT 1) < :moment,
               (low + high) / 2 + 1, low),
           iif((SELECT created_at FROM runs WHERE seq >= (low + high) / 2 ORDER BY seq LIMIT 1) < :moment,
               high, (low + high) / 2)
      FROM search WHERE low < high
)
SELECT json_group_array(json_array(low)) FROM search WHERE low >= high;

-- name: run_shown
-- One run, as it is listed, with its arguments and its outcome as they are stored.
SELECT json_group_array(json_array({shown}, json(runs.waits_for), inputs.codec, inputs.body,
                                   outputs.codec, outputs.body))
  FROM runs
  LEFT JOIN inputs ON inputs.run_id = runs.id
  LEFT JOIN outputs ON outputs.run_id = runs.id
 WHERE runs.id = :run_id;

-- name: steps_of
-- What a run has recorded, for people: of texts the beginning.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array(checkpoints.key, checkpoints.kind, checkpoints.name, checkpoints.is_error,
                          checkpoints.attempts, checkpoints.started_at, checkpoints.recorded_at, checkpoints.arguments,
                          checkpoints.codec, substr(checkpoints.body, 1, 10000)) AS packed
          FROM checkpoints
         WHERE run_id = :run_id ORDER BY seq LIMIT :most);

-- name: messages_of
-- What a run was told.
SELECT json_group_array(json_array(kind, sent_at, consumed_at)) FROM messages WHERE run_id = :run_id;

-- name: attributes_of
-- By what a run is found.
SELECT json_group_array(json_array(name, value)) FROM attributes WHERE run_id = :run_id;

-- name: workers_seen
-- Who works, for people: since when, how long ago it last showed that it lives, and how many runs it holds.
SELECT json_group_array(json_array(id, hostname, pid, joined_at, (SELECT now FROM clock) - renewed_at, lease_seconds,
                                   (SELECT count(*) FROM runs WHERE runs.worker = workers.id), json(queues), version))
  FROM workers;

-- name: queues_seen
-- Which queues have something to do, for people: how many runs are ready (ten thousand at most are counted), since when
-- the next one waits, and how many are held. The names are found by skipping from one to the next in the claims' indexes.
WITH RECURSIVE waiting (queue) AS (
    SELECT (SELECT min(queue) FROM runs WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL)
    UNION ALL
    SELECT (SELECT min(runs.queue) FROM runs
             WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL AND runs.queue > waiting.queue)
      FROM waiting WHERE waiting.queue IS NOT NULL
), keyed (queue) AS (
    SELECT (SELECT min(queue) FROM runs WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL)
    UNION ALL
    SELECT (SELECT min(runs.queue) FROM runs
             WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND runs.queue > keyed.queue)
      FROM keyed WHERE keyed.queue IS NOT NULL
), named AS (
    SELECT queue FROM waiting WHERE queue IS NOT NULL
    UNION
    SELECT queue FROM keyed WHERE queue IS NOT NULL
    UNION
    SELECT queue FROM runs WHERE worker IS NOT NULL
)
SELECT json_group_array(json_array(
           queue,
           min(10000,
               (SELECT count(*) FROM (SELECT 1 FROM runs
                                       WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL
                                         AND runs.queue = named.queue LIMIT 10000))
               + (SELECT count(*) FROM (SELECT 1 FROM runs
                                         WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL
                                           AND runs.queue = named.queue LIMIT 10000))),
           coalesce((SELECT created_at FROM runs
                      WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL AND runs.queue = named.queue
                      ORDER BY priority, seq LIMIT 1),
                    (SELECT created_at FROM runs
                      WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND runs.queue = named.queue
                      ORDER BY flow_key, priority, seq LIMIT 1)),
           (SELECT count(*) FROM runs WHERE worker IS NOT NULL AND runs.queue = named.queue)))
  FROM named;

-- name: stuck_seen
-- What waits for people: by function, how many (of the first ten thousand), and one of the reasons.
SELECT json_group_array(json_array(name, times, why))
  FROM (SELECT name, count(*) AS times, min(reason) AS why
          FROM (SELECT name, reason FROM runs WHERE state = 'parked' AND stopped = 'mend' LIMIT 10000)
         GROUP BY name);

-- name: unknown_seen
-- What is ready and nobody knows, as workers have noted: the same.
SELECT json_group_array(json_array(name, times, why))
  FROM (SELECT name, count(*) AS times, min(reason) AS why
          FROM (SELECT * FROM (SELECT name, reason FROM runs
                                WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL LIMIT 50000)
                UNION ALL
                SELECT * FROM (SELECT name, reason FROM runs
                                WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL LIMIT 50000))
         WHERE reason IS NOT NULL
         GROUP BY name);

-- name: health
-- What the library says of itself, for people.
SELECT json_group_array(json_array(what, value))
  FROM (SELECT 'server' AS what, 'SQLite ' || sqlite_version() AS value
        UNION ALL
        SELECT 'clock', CAST((SELECT now FROM clock) AS TEXT));
