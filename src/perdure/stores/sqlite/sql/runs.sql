-- name: write_sections
-- All entries of a batch or none: what this insert does are the triggers of `section`. A row for each kind.
INSERT INTO section (kind, worker_id, entries) VALUES (:kind, :worker_id, :entries);

-- name: lock_runs
-- The transaction has the write lock: here is nothing more to lock.
SELECT json_group_array(json_array(:run_ids, :claims)) WHERE FALSE;

-- name: run_traces
-- What has become of these runs, for the verdict on an entry that changed nothing.
SELECT json_group_array(json_array(runs.id, runs.name, runs.fingerprint, runs.state, runs.worker, runs.claim,
                                   runs.created_by, runs.finished_by, runs.last_claim, runs.last_state, runs.reason))
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN runs
 WHERE runs.id = wanted.value;

-- name: key_holders
-- Which runs have these keys of these queues now.
SELECT json_group_array(json_array(runs.queue, runs.dedup_key, runs.id, runs.name, runs.fingerprint, runs.state,
                                   runs.dedup_until_start IS TRUE, runs.created_by))
  FROM json_each(:keys) AS wanted
 CROSS JOIN runs
 WHERE runs.queue = json_extract(wanted.value, '$[0]') AND runs.dedup_key = json_extract(wanted.value, '$[1]')
   AND runs.dedup_key IS NOT NULL AND runs.finished_at IS NULL
   AND (runs.dedup_until_start IS NOT TRUE OR runs.started_at IS NULL);

-- name: held_claims
-- Which of these claims this worker still has.
SELECT json_group_array(json_array(runs.claim))
  FROM json_each(:claims) AS wanted
 CROSS JOIN runs
 WHERE runs.worker = :worker_id AND runs.claim = wanted.value AND runs.state = 'held';

-- name: take_runs
-- Wake what is due or has what it waited for, then take of one queue: what this insert does is the trigger of its name.
INSERT INTO claim (worker_id, queue, slots, names, last_attempts, claims, resuming)
VALUES (:worker_id, :queue, :slots, :names, :last_attempts, :claims, :resuming);

-- name: taken_runs
-- Why the claim just now got less than it asked for, and what else it tells; what it has taken: nothing if somebody has
-- taken over since.
SELECT json_group_array(json_array(short_by, opens_in, json(resumed), json(ended), has_cancelled)) FROM shortage
UNION ALL
SELECT json_group_array(json_array(
           runs.seq, runs.claim, runs.id, runs.kind, runs.name, runs.queue, runs.priority, inputs.codec, inputs.body,
           runs.attempts, runs.max_attempts, json_extract(one.value, '$[1]'), runs.parent_id, runs.parent_key,
           EXISTS (SELECT 1 FROM messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel'),
           (SELECT now FROM clock), runs.incarnation, runs.deadline_at, runs.is_detached, runs.rounds))
  FROM asked
 CROSS JOIN json_each(asked.taken) AS one
 CROSS JOIN runs
  JOIN inputs ON inputs.run_id = runs.id
 WHERE runs.seq = json_extract(one.value, '$[0]') AND runs.worker = asked.worker_id
   AND runs.claim = json_extract(asked.claims, '$[' || one.key || ']')
 GROUP BY one.key / :together;

-- part: as_claimed
-- As a claim gives a run, but nothing is taken.
SELECT json_group_array(json_array(
           seq, id, kind, name, queue, priority, codec, body, attempts, max_attempts, started_at IS NULL, parent_id,
           parent_key, is_cancelled, (SELECT now FROM clock), incarnation, deadline_at, is_detached, rounds))
  FROM (SELECT runs.*, inputs.codec, inputs.body,
               EXISTS (SELECT 1 FROM messages
                        WHERE messages.run_id = runs.id AND messages.kind = 'cancel') AS is_cancelled
          FROM runs
          JOIN inputs ON inputs.run_id = runs.id;

-- name: unfinished_runs
-- What a program has to be able to go on with, in order.
{as_claimed}
         WHERE runs.finished_at IS NULL AND runs.seq > :after
         ORDER BY runs.seq LIMIT :most);

-- name: run_to_ask
-- A run whose code is to say how it stands, whatever its state.
{as_claimed}
         WHERE runs.id = :run_id);

-- name: held_runs
-- All that a worker holds, by what the database says.
SELECT json_group_array(json_array(id)) FROM runs WHERE worker = :worker_id;

-- name: hand_back_runs
-- Uncharged: what this worker holds and does not know of (rule 5), or all of it when it leaves.
UPDATE runs
   SET state = 'ready', worker = NULL, claim = NULL, attempts = max(attempts - 1, 0)
 WHERE worker = :worker_id AND id NOT IN (SELECT value FROM json_each(:known));

-- name: take_over_cancelled_runs
-- A cancel that waits ends the runs of a dead worker, whatever their attempts.
UPDATE runs
   SET state = 'cancelled', finished_at = (SELECT now FROM clock), worker = NULL, claim = NULL
 WHERE worker = :worker_id
   AND EXISTS (SELECT 1 FROM messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel');

-- name: take_over_dead_runs
-- At the limit, no step further than when the attempt was charged, and its worker held nothing else, neither at its
-- claim nor at its death (rule 11): this run kills its workers.
UPDATE runs
   SET state = 'dead', finished_at = (SELECT now FROM clock), worker = NULL, claim = NULL,
       reason = printf('ended its worker at each of %d attempts; see the log of the workers, and retry it once that is '
                       || 'mended (`perdure runs retry`)', max_attempts)
 WHERE worker = :worker_id AND attempts >= max_attempts AND is_beside = 0
   AND NOT EXISTS (SELECT 1 FROM runs AS other WHERE other.worker = runs.worker AND other.seq <> runs.seq)
   AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel')
   AND (SELECT steps FROM run_progress WHERE run_progress.id = runs.id) <= progress_mark;

-- name: take_over_runs
-- All others go back to ready; the attempt was charged at the claim and stays charged. Their next start counts (rule 14).
UPDATE runs SET state = 'ready', worker = NULL, claim = NULL, last_state = 'held' WHERE worker = :worker_id;

-- name: sweepable
-- Which runs a sweep would end now.
SELECT json_group_array(json_array(id)) FROM sweepable_runs;

-- name: sweep_cancelled_runs
-- Nobody holds them, so nobody's code is needed to end them.
UPDATE runs
   SET state = 'cancelled', finished_at = (SELECT now FROM clock), due_at = NULL, waits_for = NULL,
       stopped = NULL
 WHERE id IN (SELECT id FROM sweepable_runs);

-- name: mend_runs
-- Newly registered code may fit runs that were parked because the old one did not.
UPDATE runs
   SET state = 'ready', stopped = NULL, due_at = NULL, waits_for = NULL, reason = NULL, refused_by = NULL
 WHERE state = 'parked' AND stopped = 'mend' AND name IN (SELECT value FROM json_each(:names))
RETURNING id;

-- name: has_refused_runs
-- Most of the time there is none, and looking locks nothing.
SELECT EXISTS (SELECT 1 FROM runs WHERE refused_by IS NOT NULL AND finished_at IS NULL);

-- name: strand_refused_runs
-- Where no worker is left that could take what some version of the code has refused, it waits for a mend.
UPDATE runs SET state = 'parked', stopped = 'mend', due_at = NULL
 WHERE state = 'ready' AND refused_by IS NOT NULL AND finished_at IS NULL
   AND name IN (SELECT value FROM json_each(:names))
   AND NOT EXISTS (SELECT 1 FROM workers
                    WHERE runs.queue IN (SELECT value FROM json_each(workers.queues))
                      AND runs.name IN (SELECT value FROM json_each(workers.names))
                      AND coalesce(workers.version, '') NOT IN (SELECT value FROM json_each(runs.refused_by)));

-- name: offer_refused_runs
-- What waits for a mend, and was refused by other versions of the code than this worker's, is for this one.
UPDATE runs SET state = 'ready', stopped = NULL
 WHERE state = 'parked' AND stopped = 'mend' AND refused_by IS NOT NULL AND finished_at IS NULL
   AND name IN (SELECT value FROM json_each(:names)) AND queue IN (SELECT value FROM json_each(:queues))
   AND NOT EXISTS (SELECT 1 FROM workers
                    WHERE workers.id = :worker_id
                      AND coalesce(workers.version, '') IN (SELECT value FROM json_each(runs.refused_by)));

-- name: explain_unknown_runs
-- Nobody here can execute them: say so where people look, on the first hundred of each function. The functions are found
-- one after the other in the index, so that a million runs of one cost what a hundred do. Of runs with a key the first
-- thousand are looked at.
WITH RECURSIVE waiting (queue, name) AS (
    SELECT wanted.value, (SELECT min(name) FROM runs
                           WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL AND queue = wanted.value)
      FROM json_each(:queues) AS wanted
     UNION ALL
    SELECT waiting.queue, (SELECT min(name) FROM runs
                            WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL
                              AND runs.queue = waiting.queue
                              AND runs.name > waiting.name)
      FROM waiting WHERE waiting.name IS NOT NULL
), delayed (queue, name) AS (
    SELECT wanted.value, (SELECT min(name) FROM runs
                           WHERE state = 'ready' AND due_at IS NOT NULL AND queue = wanted.value)
      FROM json_each(:queues) AS wanted
     UNION ALL
    SELECT delayed.queue, (SELECT min(name) FROM runs
                            WHERE state = 'ready' AND due_at IS NOT NULL AND runs.queue = delayed.queue
                              AND runs.name > delayed.name)
      FROM delayed WHERE delayed.name IS NOT NULL
)
UPDATE runs SET reason = :reason
 WHERE reason IS NULL AND seq IN (
           SELECT run.seq
             FROM waiting
            CROSS JOIN runs AS run
            WHERE waiting.name NOT IN (SELECT value FROM json_each(:names))
              AND run.seq IN (SELECT seq FROM runs AS one
                               WHERE one.state = 'ready' AND one.due_at IS NULL AND one.flow_key IS NULL
                                 AND one.queue = waiting.queue
                                 AND one.name = waiting.name
                               ORDER BY one.priority, one.seq LIMIT 100)
            UNION ALL
           SELECT run.seq
             FROM delayed
            CROSS JOIN runs AS run
            WHERE delayed.name NOT IN (SELECT value FROM json_each(:names))
              AND run.seq IN (SELECT seq FROM runs AS one
                               WHERE one.state = 'ready' AND one.due_at IS NOT NULL AND one.queue = delayed.queue
                                 AND one.name = delayed.name AND one.due_at <= (SELECT now FROM clock)
                               ORDER BY one.due_at LIMIT 100)
            UNION ALL
           SELECT keyed.seq
             FROM json_each(:queues) AS wanted
            CROSS JOIN runs AS keyed
            WHERE keyed.name NOT IN (SELECT value FROM json_each(:names))
              AND keyed.seq IN (SELECT seq FROM runs AS one
                                 WHERE one.state = 'ready' AND one.due_at IS NULL AND one.flow_key IS NOT NULL
                                   AND one.queue = wanted.value
                                 ORDER BY one.flow_key, one.priority, one.seq LIMIT 1000));

-- name: run
-- One run, as anybody may see it.
SELECT id, kind, name, (SELECT state FROM run_view WHERE run_view.id = runs.id), queue, fingerprint, attempts, created_at, due_at, started_at, finished_at, parent_id,
       parent_key, worker, reason, stopped
  FROM runs
 WHERE id = :run_id;

-- name: history_children
-- The runs that these runs have made, each in order of creation; of their arguments the beginning, for people.
SELECT json_group_array(json_array(seq, parent_id, runs.id, parent_key, name, fingerprint, state,
                                   (SELECT substr(body, 1, 201) FROM inputs WHERE run_id = runs.id AND codec = 'json')))
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN runs
 WHERE parent_id = wanted.value;

-- name: ended_runs
-- Which of the awaited runs have ended, and with what.
SELECT json_group_array(json_array(runs.id, runs.state, outputs.codec, outputs.body, runs.reason))
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN runs
  LEFT JOIN outputs ON outputs.run_id = runs.id
 WHERE runs.id = wanted.value AND runs.finished_at IS NOT NULL
 GROUP BY wanted.key / :together;

-- name: stuck_runs
-- Which of the awaited runs wait for people, and why: who waits for them is told instead of waiting for ever.
SELECT json_group_array(json_array(runs.id, runs.reason))
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN runs
 WHERE runs.id = wanted.value AND runs.state = 'parked' AND runs.stopped IN ('mend', 'retries')
 GROUP BY wanted.key / :together;

-- name: pulse
-- The bounded poll: whether the mailbox has something for this worker or for anybody, whether anything is claimable, when
-- what is next due, whether a run's deadline has passed; what was set for the queues: the worker's own limit, and whether
-- nothing may begin past a claim, and when that was set; which functions are paused, and whether somebody asks a run
-- something.
-- `waiting` is which of the functions have something in which of the queues, now or later: from name to name in the
-- indexes, so that what a program knows and nobody has asked for costs nothing, however much that is. x'FF' comes after
-- every text.
WITH RECURSIVE served AS MATERIALIZED (
    SELECT :worker_id AS worker_id, :queues AS queues, :names AS names, now FROM clock
), heads (queue, name) AS (
    SELECT of_queue.value, '' FROM served CROSS JOIN json_each(served.queues) AS of_queue
     UNION ALL
    SELECT heads.queue,
           min(coalesce((SELECT min(runs.name) FROM runs
                          WHERE runs.state = 'ready' AND runs.due_at IS NULL AND runs.flow_key IS NULL
                            AND runs.queue = heads.queue AND runs.name > heads.name), x'FF'),
               coalesce((SELECT min(runs.name) FROM runs
                          WHERE runs.state = 'ready' AND runs.due_at IS NULL
                            AND runs.attempts > 0 AND runs.attempts >= runs.max_attempts - 1
                            AND runs.queue = heads.queue AND runs.name > heads.name), x'FF'),
               coalesce((SELECT min(runs.name) FROM runs
                          WHERE runs.state = 'ready' AND runs.due_at IS NOT NULL
                            AND runs.queue = heads.queue AND runs.name > heads.name), x'FF'),
               coalesce((SELECT min(runs.name) FROM runs
                          WHERE runs.state = 'parked' AND runs.due_at IS NOT NULL AND runs.stopped IS NULL
                            AND runs.queue = heads.queue AND runs.name > heads.name), x'FF'))
      FROM heads
     WHERE heads.name < x'FF'
), waiting (queue, name) AS MATERIALIZED (
    SELECT heads.queue, heads.name
      FROM heads
     CROSS JOIN served
     WHERE heads.name > '' AND heads.name < x'FF' AND heads.name IN (SELECT value FROM json_each(served.names))
)
SELECT EXISTS (SELECT 1 FROM wakes WHERE worker IS NULL)
       OR EXISTS (SELECT 1 FROM wakes WHERE worker = served.worker_id),
       EXISTS (SELECT 1
                 FROM waiting
                CROSS JOIN runs
                WHERE runs.state = 'ready' AND runs.due_at IS NULL AND runs.flow_key IS NULL
                  AND runs.queue = waiting.queue AND runs.name = waiting.name
                  AND (runs.refused_by IS NULL
                       OR NOT EXISTS (SELECT 1 FROM json_each(runs.refused_by) AS refused
                                       CROSS JOIN workers
                                       WHERE workers.id = served.worker_id AND workers.version = refused.value)))
       OR EXISTS (SELECT 1 FROM json_each(served.queues) AS of_queue CROSS JOIN stirs WHERE stirs.queue = of_queue.value)
       OR EXISTS (SELECT 1 FROM json_each(served.queues) AS of_queue CROSS JOIN turns
                   WHERE turns.queue = of_queue.value AND turns.wakes_at IS NULL AND turns.key <> '')
       OR EXISTS (SELECT 1 FROM json_each(served.queues) AS of_queue CROSS JOIN turns
                   WHERE turns.queue = of_queue.value AND turns.wakes_at <= served.now)
       OR EXISTS (SELECT 1
                    FROM waiting
                   CROSS JOIN runs
                   WHERE runs.state = 'ready' AND runs.due_at IS NOT NULL AND runs.due_at <= served.now
                     AND runs.queue = waiting.queue AND runs.name = waiting.name)
       OR EXISTS (SELECT 1
                    FROM waiting
                   CROSS JOIN runs
                   WHERE runs.state = 'parked' AND runs.due_at IS NOT NULL AND runs.stopped IS NULL
                     AND runs.due_at <= served.now
                     AND runs.queue = waiting.queue AND runs.name = waiting.name
                     AND NOT EXISTS (SELECT 1 FROM messages
                                      WHERE messages.run_id = runs.id AND messages.kind = 'cancel')),
       EXISTS (SELECT 1
                 FROM waiting
                CROSS JOIN runs
                WHERE runs.state = 'ready' AND runs.due_at IS NULL
                  AND runs.queue = waiting.queue AND runs.name = waiting.name
                  AND (runs.refused_by IS NULL
                       OR NOT EXISTS (SELECT 1 FROM json_each(runs.refused_by) AS refused
                                       CROSS JOIN workers
                                       WHERE workers.id = served.worker_id AND workers.version = refused.value))
                  AND runs.attempts > 0 AND runs.attempts >= runs.max_attempts - 1),
       min(coalesce((SELECT min(turns.wakes_at) FROM json_each(served.queues) AS of_queue CROSS JOIN turns
                      WHERE turns.queue = of_queue.value AND turns.wakes_at > served.now), 9e999),
           coalesce((SELECT min(next_at) FROM schedules
                      WHERE paused_at IS NULL AND next_at IS NOT NULL AND next_at > served.now), 9e999),
           coalesce((SELECT min(deadline_at) FROM runs
                      WHERE deadline_at IS NOT NULL AND finished_at IS NULL AND deadline_at > served.now), 9e999),
           coalesce((SELECT min(min(coalesce((SELECT min(due_at) FROM runs
                                               WHERE state = 'ready' AND due_at IS NOT NULL AND due_at > served.now
                                                 AND queue = waiting.queue AND name = waiting.name), 9e999),
                                    coalesce((SELECT min(due_at) FROM runs
                                               WHERE state = 'parked' AND due_at IS NOT NULL AND stopped IS NULL
                                                 AND due_at > served.now
                                                 AND queue = waiting.queue AND name = waiting.name), 9e999)))
                       FROM waiting), 9e999)),
       EXISTS (SELECT 1 FROM runs
                WHERE deadline_at IS NOT NULL AND finished_at IS NULL AND deadline_at <= served.now
                  AND NOT EXISTS (SELECT 1 FROM messages
                                   WHERE messages.run_id = runs.id AND messages.kind = 'cancel')),
       EXISTS (SELECT 1 FROM due_schedules), served.now,
       (SELECT json_group_array(json_array(queues.name, queues.worker_concurrency,
                                           queues.is_shared OR queues.paused_at IS NOT NULL, queues.changed_at))
          FROM json_each(served.queues) AS of_queue CROSS JOIN queues WHERE queues.name = of_queue.value),
       (SELECT json_group_array(name) FROM pauses),
       EXISTS (SELECT 1 FROM questions WHERE answer IS NULL AND expires_at > served.now)
  FROM served;
