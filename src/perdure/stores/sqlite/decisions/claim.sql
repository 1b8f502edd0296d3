-- What a worker asks for of one queue: so many `slots`, under these `claims`, which were drawn before; `last_attempts`:
-- whether runs at their last one are 'left' where they are, or one is taken by a worker that holds nothing ('alone'), or
-- they are taken 'beside' others. Nothing is ever in it; `take_runs` is what an INSERT does.
CREATE TEMP VIEW claim AS
SELECT NULL AS worker_id, NULL AS queue, NULL AS slots, NULL AS names, NULL AS last_attempts,
       NULL AS claims
 WHERE FALSE;

-- The same, for the parts of the claim to read, and its answer: a trigger gives none, and whether a run is fresh cannot be
-- seen any more once it is held. A single row, in the memory of this connection.
CREATE TEMP TABLE asked (
    place         INTEGER PRIMARY KEY CHECK (place = 1),
    worker_id     TEXT,
    queue         TEXT,
    slots         INTEGER,
    names         TEXT,
    last_attempts TEXT,
    claims        TEXT,
    taken         TEXT
);

-- One statement, and so one transaction, for what is woken and what is taken. To find nothing writes nothing.
CREATE TEMP TRIGGER take_runs INSTEAD OF INSERT ON claim
BEGIN
    -- Rule 1.
    SELECT RAISE(ABORT, 'the worker has no row')
     WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = NEW.worker_id);

    INSERT OR REPLACE INTO asked (place, worker_id, queue, slots, names, last_attempts, claims)
    VALUES (1, NEW.worker_id, NEW.queue, NEW.slots, NEW.names, NEW.last_attempts, NEW.claims);

    -- Delayed runs and sleepers whose time has come.
    UPDATE runs SET state = 'ready', due_at = NULL, waits_for = NULL
     WHERE seq IN (SELECT seq FROM due);

    -- Rule 13.
    INSERT INTO mailbox (upto) SELECT upto FROM told WHERE upto IS NOT NULL;

    UPDATE asked SET taken = (SELECT all_of_them FROM taking);

    -- The attempt is charged here and nowhere else; the count starts anew where steps were recorded since.
    UPDATE runs
       SET state = 'held', worker = NEW.worker_id, claim = for_claim,
           attempts = iif(steps > progress_mark, 1, attempts + 1), progress_mark = max(steps, progress_mark),
           is_beside = holds_some, started_at = coalesce(started_at, (SELECT now FROM clock)), reason = NULL
      FROM (SELECT json_extract(value, '$[0]') AS of_run, json_extract(value, '$[2]') AS steps,
                   json_extract(value, '$[3]') AS holds_some,
                   json_extract(NEW.claims, '$[' || key || ']') AS for_claim
              FROM json_each((SELECT taken FROM asked))) AS charged
     WHERE seq = of_run AND state = 'ready';
END;
