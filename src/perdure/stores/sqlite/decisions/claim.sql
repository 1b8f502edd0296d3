-- What a worker asks for of one queue: so many `slots`, under these `claims`, which were drawn before; `last_attempts`:
-- whether runs at their last one are 'left' where they are, or one is taken by a worker that holds nothing ('alone'), or
-- they are taken 'beside' others; `resuming`: claims of runs that go on and ask for their slots. Nothing is ever in it;
-- `take_runs` is what an INSERT does.
CREATE TEMP VIEW claim AS
SELECT NULL AS worker_id, NULL AS queue, NULL AS slots, NULL AS names, NULL AS last_attempts,
       NULL AS claims, NULL AS resuming
 WHERE FALSE;

-- The same, for the parts of the claim to read, and its answer: a trigger gives none, and whether a run is fresh cannot be
-- seen any more once it is held. `is_shared`: limits hold for all workers together; `most` is then what those leave, and
-- the rest what `choose_shared` finds out. A single row, in the memory of this connection.
CREATE TEMP TABLE asked (
    place         INTEGER PRIMARY KEY CHECK (place = 1),
    worker_id     TEXT,
    queue         TEXT,
    slots         INTEGER,
    names         TEXT,
    last_attempts TEXT,
    claims        TEXT,
    resuming      TEXT,
    moment        REAL,
    is_shared     INTEGER,
    is_keyed      INTEGER,
    room          INTEGER,
    most          INTEGER,
    free          INTEGER,
    short_by      TEXT,
    after_turn    INTEGER,
    last_turn     INTEGER,
    opens_at      REAL,
    resumed       TEXT,
    ended         TEXT,
    has_cancelled INTEGER,
    taken         TEXT
);

-- How the runs are chosen: with the limits of all workers, or without. Nothing is ever in it.
CREATE TEMP VIEW choice AS SELECT NULL AS is_shared WHERE FALSE;
CREATE TEMP TRIGGER choose_plain INSTEAD OF INSERT ON choice WHEN NOT NEW.is_shared
BEGIN
    UPDATE asked SET taken = (SELECT all_of_them FROM taking), resumed = resuming;
END;

-- One statement, and so one transaction, for what is woken and what is taken. To find nothing writes nothing.
CREATE TEMP TRIGGER take_runs INSTEAD OF INSERT ON claim
BEGIN
    -- Rule 1.
    SELECT RAISE(ABORT, 'the worker has no row')
     WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = NEW.worker_id);

    INSERT OR REPLACE INTO asked (place, worker_id, queue, slots, names, last_attempts, claims, resuming, moment,
                                  is_shared, is_keyed)
    SELECT 1, NEW.worker_id, NEW.queue, NEW.slots,
           CASE WHEN EXISTS (SELECT 1 FROM pauses)
                THEN (SELECT json_group_array(value) FROM json_each(NEW.names) WHERE value NOT IN (SELECT name FROM pauses))
                ELSE NEW.names END,
           NEW.last_attempts, NEW.claims, NEW.resuming, clock.now,
           coalesce(queues.is_shared, 0), coalesce(queues.is_keyed, 0)
      FROM clock LEFT JOIN queues ON queues.name = NEW.queue;

    -- Delayed runs and sleepers whose time has come.
    UPDATE runs SET state = 'ready', due_at = NULL, waits_for = NULL
     WHERE seq IN (SELECT seq FROM due);

    -- Rule 13.
    INSERT INTO mailbox (upto) SELECT upto FROM told WHERE upto IS NOT NULL;

    INSERT INTO choice (is_shared) SELECT is_shared FROM asked;

    -- The attempt is charged here and nowhere else; the count starts anew where steps were recorded since.
    UPDATE runs
       SET state = 'held', worker = NEW.worker_id, claim = for_claim,
           attempts = iif(steps > progress_mark, 1, attempts + 1), progress_mark = max(steps, progress_mark),
           is_beside = holds_some, started_at = coalesce(started_at, (SELECT moment FROM asked)), reason = NULL,
           has_slot = (SELECT nullif(is_shared, 0) FROM asked), last_state = nullif(last_state, 'held')
      FROM (SELECT json_extract(value, '$[0]') AS of_run, json_extract(value, '$[2]') AS steps,
                   json_extract(value, '$[3]') AS holds_some,
                   json_extract(NEW.claims, '$[' || key || ']') AS for_claim
              FROM json_each((SELECT taken FROM asked))) AS charged
     WHERE seq = of_run AND state = 'ready';
END;
