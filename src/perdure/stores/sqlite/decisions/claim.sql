-- What a worker takes of one queue: at most so many `slots`, under these `claims`, which were drawn before;
-- `last_attempts`: whether runs at their last one are 'left' where they are, or one is taken by a worker that holds
-- nothing ('alone'), or they are taken 'beside' others. Nothing is ever in it; `take_runs` is what an INSERT does.
CREATE TEMP VIEW claim AS
SELECT NULL AS worker_id, NULL AS queue, NULL AS slots, NULL AS names, NULL AS last_attempts,
       NULL AS claims
 WHERE FALSE;

-- One statement, and so one transaction, for what is woken and what is taken. Which runs those are stands in the
-- worker's own row: a trigger gives no answer, and whether a run is fresh cannot be seen any more once it is held.
CREATE TEMP TRIGGER take_runs INSTEAD OF INSERT ON claim
BEGIN
    -- Rule 1.
    SELECT RAISE(ABORT, 'the worker has no row')
     WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = NEW.worker_id);

    -- Delayed runs and sleepers whose time has come, the earliest first; bounded, the next claim takes the rest.
    UPDATE runs SET state = 'ready', due_at = NULL, waits_for = NULL
     WHERE seq IN (SELECT seq FROM due_runs ORDER BY due_at LIMIT 1000);

    -- Rule 13.
    INSERT INTO mailbox (upto) SELECT upto FROM told WHERE upto IS NOT NULL;

    -- The oldest of the lowest priority, with the first claim of these, which says whose it is. To find nothing writes
    -- nothing, and leaves what was there.
    UPDATE workers
       SET taken = json_array(json_extract(NEW.claims, '$[0]'), json(found.all_of_them))
      FROM (SELECT json_group_array(json_array(
                       ready.seq, ready.started_at IS NULL,
                       iif(ready.started_at IS NULL, 0,
                           (SELECT steps FROM run_progress WHERE run_progress.id = ready.id)),
                       NEW.last_attempts = 'beside'
                       OR EXISTS (SELECT 1 FROM runs AS mine WHERE mine.worker = NEW.worker_id))) AS all_of_them
              FROM (SELECT seq, id, started_at FROM runs
                     WHERE state = 'ready' AND due_at IS NULL AND queue = NEW.queue
                       AND name IN (SELECT value FROM json_each(NEW.names))
                       AND (NEW.last_attempts = 'beside'
                            OR (NEW.last_attempts = 'alone') = iif(
                                   attempts = 0 OR attempts < max_attempts - 1, 0,
                                   (SELECT steps FROM run_progress WHERE run_progress.id = runs.id) <= progress_mark))
                       AND (NEW.last_attempts <> 'alone'
                            OR NOT EXISTS (SELECT 1 FROM runs AS mine WHERE mine.worker = NEW.worker_id))
                     ORDER BY priority, seq
                     LIMIT NEW.slots) AS ready) AS found
     WHERE workers.id = NEW.worker_id AND found.all_of_them <> '[]';

    -- The attempt is charged here and nowhere else; the count starts anew where steps were recorded since.
    UPDATE runs
       SET state = 'held', worker = NEW.worker_id, claim = for_claim,
           attempts = iif(steps > progress_mark, 1, attempts + 1), progress_mark = max(steps, progress_mark),
           is_beside = holds_some, started_at = coalesce(started_at, (SELECT now FROM clock)), reason = NULL
      FROM (SELECT json_extract(value, '$[0]') AS of_run, json_extract(value, '$[2]') AS steps,
                   json_extract(value, '$[3]') AS holds_some,
                   json_extract(NEW.claims, '$[' || key || ']') AS for_claim
              FROM json_each((SELECT json_extract(taken, '$[1]') FROM workers
                               WHERE workers.id = NEW.worker_id
                                 AND json_extract(taken, '$[0]') = json_extract(NEW.claims, '$[0]')))) AS charged
     WHERE seq = of_run AND state = 'ready';
END;
