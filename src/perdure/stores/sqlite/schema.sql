-- All tables, indexes and views, for reading: what the migrations together make (a test compares).

-- The database's clock in seconds since the epoch (unixepoch('subsec') would need SQLite 3.42).
CREATE VIEW clock AS
SELECT (julianday('now') - 2440587.5) * 86400.0 AS now;

CREATE TABLE migrations (
    version    INTEGER NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at REAL NOT NULL
) STRICT;

-- A process that may write. No row, no right to write. `renewed_at` is there for others to see that it changes within
-- `lease_seconds` of their own clocks: no clock is compared with it (rule 10). `taken`: what its last claim of a queue took, see `take_runs`.
CREATE TABLE workers (
    id          TEXT NOT NULL PRIMARY KEY,
    hostname    TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    joined_at   REAL NOT NULL,
    renewed_at  REAL NOT NULL,
    lease_seconds REAL NOT NULL,
    taken       TEXT
) STRICT, WITHOUT ROWID;

-- `seq` is the order of insertion, for first in, first out; never an identity of anything.
-- `last_claim` and `last_state`: which claim parked, released or finished the run, and what it left, so that a park
-- or a release whose reply was lost finds its own trace.
-- `is_beside`: when it was claimed, its worker held other runs too (rule 11).
-- CASE, not IN: of more than two values SQLite makes a table for every row that it checks, half of what the row costs.
CREATE TABLE runs (
    seq           INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    kind          TEXT NOT NULL CHECK (kind IN ('workflow', 'step')),
    name          TEXT NOT NULL,
    queue         TEXT NOT NULL,
    state         TEXT NOT NULL,
    priority      INTEGER NOT NULL,
    due_at        REAL,
    created_at    REAL NOT NULL,
    started_at    REAL,
    finished_at   REAL,
    worker        TEXT REFERENCES workers (id) DEFERRABLE INITIALLY DEFERRED,
    claim         TEXT,
    attempts      INTEGER NOT NULL CHECK (attempts >= 0),
    max_attempts  INTEGER NOT NULL CHECK (max_attempts >= 1),
    progress_mark INTEGER NOT NULL DEFAULT 0,
    is_beside     INTEGER NOT NULL DEFAULT 0,
    finished_by   TEXT,
    last_claim    TEXT,
    last_state    TEXT,
    created_by    TEXT NOT NULL,
    parent_id     TEXT,
    parent_key    TEXT,
    fingerprint   TEXT NOT NULL,
    children_seen INTEGER,
    waits_for     TEXT CHECK (waits_for IS NULL OR json_type(waits_for) = 'array'),
    needs_mend    INTEGER NOT NULL DEFAULT 0 CHECK (needs_mend IN (0, 1)),
    reason        TEXT,
    CHECK ((state = 'held') = (worker IS NOT NULL)),
    CHECK ((state = 'held') = (claim IS NOT NULL)),
    CHECK (CASE state
               WHEN 'ready'     THEN finished_at IS NULL
               WHEN 'held'      THEN finished_at IS NULL
               WHEN 'parked'    THEN finished_at IS NULL
               WHEN 'succeeded' THEN finished_at IS NOT NULL
               WHEN 'failed'    THEN finished_at IS NOT NULL
               WHEN 'cancelled' THEN finished_at IS NOT NULL
               WHEN 'dead'      THEN finished_at IS NOT NULL
               ELSE FALSE
           END),
    CHECK (state <> 'held' OR started_at IS NOT NULL),
    CHECK (state = 'parked' OR (children_seen IS NULL AND waits_for IS NULL AND needs_mend = 0)),
    CHECK ((parent_id IS NULL) = (parent_key IS NULL))
) STRICT;

-- Inputs and outputs live apart, so that the hot row stays small.
CREATE TABLE inputs (
    run_id TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    codec  TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE outputs (
    run_id TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    codec  TEXT NOT NULL,
    body   TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- `seq` is the order of recording. `claim` and `entry_id`: a resent entry finds itself.
CREATE TABLE checkpoints (
    seq         INTEGER PRIMARY KEY,
    run_id      TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key         TEXT NOT NULL,
    claim       TEXT NOT NULL,
    entry_id    TEXT NOT NULL,
    position    INTEGER,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    is_error    INTEGER NOT NULL CHECK (is_error IN (0, 1)),
    codec       TEXT NOT NULL,
    body        TEXT NOT NULL,
    attempts    INTEGER NOT NULL,
    started_at  REAL,
    recorded_at REAL NOT NULL,
    UNIQUE (run_id, key)
) STRICT;

-- What others tell a run. `consumed_at` is set when the run has ended by it.
CREATE TABLE messages (
    id          TEXT NOT NULL PRIMARY KEY,
    run_id      TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL CHECK (kind IN ('cancel')),
    body        TEXT,
    sent_at     REAL NOT NULL,
    consumed_at REAL
) STRICT, WITHOUT ROWID;

-- The foreign key's own question: what belongs to a run that goes.
CREATE INDEX messages_of_run ON messages (run_id);
-- One cancel per run.
CREATE UNIQUE INDEX messages_cancel ON messages (run_id) WHERE kind = 'cancel';
-- What nobody has acted on yet.
CREATE INDEX messages_open ON messages (run_id) WHERE consumed_at IS NULL;

-- What a claim looks at: ready now, in order. History is in none of the indexes that it uses.
CREATE INDEX runs_ready ON runs (queue, priority, seq) WHERE state = 'ready' AND due_at IS NULL;
-- Those among them that are to be claimed alone.
CREATE INDEX runs_last ON runs (queue)
    WHERE state = 'ready' AND due_at IS NULL AND attempts > 0 AND attempts >= max_attempts - 1;
-- What is ready later.
CREATE INDEX runs_delayed ON runs (due_at) WHERE state = 'ready' AND due_at IS NOT NULL;
-- Sleepers, by when they wake.
CREATE INDEX runs_sleeping ON runs (due_at) WHERE state = 'parked' AND due_at IS NOT NULL;
-- What waits for the end of other runs.
CREATE INDEX runs_waiting ON runs (seq)
    WHERE state = 'parked' AND (children_seen IS NOT NULL OR waits_for IS NOT NULL);
-- What waits for new code.
CREATE INDEX runs_to_mend ON runs (name) WHERE state = 'parked' AND needs_mend = 1;
-- What each worker holds; the foreign key's own question, too.
CREATE INDEX runs_held ON runs (worker, claim) WHERE worker IS NOT NULL;
-- The children of a run, in order of creation, and which of them have ended.
CREATE INDEX runs_children ON runs (parent_id, seq, finished_at) WHERE parent_id IS NOT NULL;

-- Parked runs whose wait is over (a flag could not say it: it would be set from an older look). One with a cancel is
-- not woken, it is swept.
CREATE VIEW woken_runs AS
SELECT runs.*
  FROM runs
 WHERE state = 'parked' AND (children_seen IS NOT NULL OR waits_for IS NOT NULL)
   AND needs_mend = 0
   AND ((SELECT count(*) FROM runs AS child WHERE child.parent_id = runs.id AND child.finished_at IS NOT NULL)
            > children_seen
        OR EXISTS (SELECT 1 FROM json_each(runs.waits_for) AS awaited CROSS JOIN runs AS other
                    WHERE other.id = awaited.value AND other.finished_at IS NOT NULL))
   AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel');

-- Whose time has come: delayed runs, and sleepers without a cancel.
CREATE VIEW due_runs AS
SELECT runs.*
  FROM runs
 WHERE state = 'ready' AND due_at IS NOT NULL AND due_at <= (SELECT now FROM clock)
UNION ALL
SELECT runs.*
  FROM runs
 WHERE state = 'parked' AND due_at IS NOT NULL AND due_at <= (SELECT now FROM clock)
   AND needs_mend = 0
   AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel');

-- Cancelled runs that nobody holds: anybody may end them.
CREATE VIEW sweepable_runs AS
SELECT id
  FROM runs
 WHERE state IN ('ready', 'parked')
   AND id IN (SELECT run_id FROM messages WHERE consumed_at IS NULL AND kind = 'cancel');

-- How far each run has come: the attempts count anew when that is further than at the last charge (rule 11). Ended
-- children count too: a parent that waits for many records no step of its own, and would be dead of its worker's restarts.
CREATE VIEW run_progress AS
SELECT id,
       (SELECT count(*) FROM checkpoints WHERE checkpoints.run_id = runs.id AND checkpoints.kind = 'step')
       + (SELECT count(*) FROM runs AS child WHERE child.parent_id = runs.id AND child.finished_at IS NOT NULL) AS steps
  FROM runs;

-- For people: times that can be read (UTC). A held run that somebody has cancelled is `cancelling` until what its code
-- does just now returns.
CREATE VIEW run_view AS
SELECT id, kind, name, queue,
       iif(state = 'held' AND EXISTS (SELECT 1 FROM messages
                                       WHERE messages.run_id = runs.id AND messages.kind = 'cancel'),
           'cancelling', state) AS state,
       priority, attempts, max_attempts,
       strftime('%Y-%m-%d %H:%M:%f', created_at, 'unixepoch')  AS created_at,
       strftime('%Y-%m-%d %H:%M:%f', due_at, 'unixepoch')      AS due_at,
       strftime('%Y-%m-%d %H:%M:%f', started_at, 'unixepoch')  AS started_at,
       strftime('%Y-%m-%d %H:%M:%f', finished_at, 'unixepoch') AS finished_at,
       worker, parent_id, parent_key, needs_mend, reason,
       (SELECT body FROM inputs WHERE inputs.run_id = runs.id)   AS input,
       (SELECT body FROM outputs WHERE outputs.run_id = runs.id) AS output
  FROM runs;

CREATE VIEW step_view AS
SELECT run_id, key, kind, name, position, is_error, attempts,
       strftime('%Y-%m-%d %H:%M:%f', started_at, 'unixepoch')  AS started_at,
       strftime('%Y-%m-%d %H:%M:%f', recorded_at, 'unixepoch') AS recorded_at,
       body AS outcome
  FROM checkpoints;

-- What a worker writes: each section a JSON array of entries, `creators` the claims under which runs are made, or NULL.
-- Nothing is ever in it; `write_batch` is what an INSERT does.
CREATE VIEW batch AS
SELECT NULL AS worker_id, NULL AS created, NULL AS creators, NULL AS lived, NULL AS recorded, NULL AS finished,
       NULL AS parked, NULL AS released
 WHERE FALSE;

-- Every entry is new, and its worker and its claim have the right to write: else nothing of the batch is kept, and
-- `verdicts` finds out which one it was. One statement is its own transaction, fence included, so the interpreter's lock
-- is given away as often for a batch as for one row.
-- LIMIT -1 OFFSET 0: the entries are taken out of their array once; else each is written out anew for every column.
-- `+worker`: a search for the entries' ids, not for all that the worker holds.
CREATE TRIGGER write_batch INSTEAD OF INSERT ON batch
BEGIN
    -- Rule 1: a worker without a row may not write. The statement holds the write lock, so no row lock is needed.
    SELECT RAISE(ABORT, 'the worker has no row')
     WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = NEW.worker_id);

    -- Rule 6: what a run makes comes before its end, so that a cancel finds it.
    INSERT INTO runs (id, kind, name, queue, state, priority, due_at, created_at, started_at, worker, claim, attempts,
                      max_attempts, created_by, parent_id, parent_key, fingerprint)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.kind'), json_extract(entry, '$.name'),
           json_extract(entry, '$.queue'), iif(held_as IS NULL, 'ready', 'held'), json_extract(entry, '$.priority'),
           iif(held_as IS NULL, json_extract(entry, '$.due_at'), NULL), (SELECT now FROM clock),
           iif(held_as IS NULL, NULL, (SELECT now FROM clock)), iif(held_as IS NULL, NULL, NEW.worker_id), held_as,
           held_as IS NOT NULL, json_extract(entry, '$.max_attempts'), json_extract(entry, '$.entry_id'),
           json_extract(entry, '$.parent_id'), json_extract(entry, '$.parent_key'),
           json_extract(entry, '$.fingerprint')
      FROM (SELECT value AS entry, json_extract(value, '$.held_as') AS held_as
              FROM json_each(NEW.created) LIMIT -1 OFFSET 0);

    -- Rule 2: whoever makes a run inside another holds that one, or takes it in this very batch.
    SELECT RAISE(ABORT, 'a claim under which a run was to be made has ended')
      FROM json_each(NEW.creators) AS creator
     WHERE NOT EXISTS (SELECT 1 FROM runs
                        WHERE runs.worker = NEW.worker_id AND runs.claim = creator.value AND runs.state = 'held');

    -- Runs from outside whose whole life falls into the batch: nobody has seen them before, so no cancel can be meant
    -- for them.
    INSERT INTO runs (id, kind, name, queue, state, priority, created_at, started_at, finished_at, attempts,
                      max_attempts, created_by, finished_by, fingerprint, reason)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.kind'), json_extract(entry, '$.name'),
           json_extract(entry, '$.queue'), json_extract(entry, '$.state'), json_extract(entry, '$.priority'),
           (SELECT now FROM clock), (SELECT now FROM clock), (SELECT now FROM clock), 1,
           json_extract(entry, '$.max_attempts'), json_extract(entry, '$.entry_id'), json_extract(entry, '$.held_as'),
           json_extract(entry, '$.fingerprint'), json_extract(entry, '$.reason')
      FROM (SELECT value AS entry FROM json_each(NEW.lived) LIMIT -1 OFFSET 0);

    INSERT INTO inputs (run_id, codec, body)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.input.codec'), json_extract(entry, '$.input.text')
      FROM (SELECT value AS entry FROM json_each(NEW.created) LIMIT -1 OFFSET 0)
     UNION ALL
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.input.codec'), json_extract(entry, '$.input.text')
      FROM (SELECT value AS entry FROM json_each(NEW.lived) LIMIT -1 OFFSET 0);

    -- Rule 2: of runs that this worker holds under these claims.
    INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                             attempts, started_at, recorded_at)
    SELECT runs.id, json_extract(entry, '$.key'), runs.claim, json_extract(entry, '$.entry_id'),
           json_extract(entry, '$.position'), json_extract(entry, '$.kind'), json_extract(entry, '$.name'),
           json_extract(entry, '$.fingerprint'), json_extract(entry, '$.is_error'),
           json_extract(entry, '$.outcome.codec'), json_extract(entry, '$.outcome.text'),
           json_extract(entry, '$.attempts'), json_extract(entry, '$.started_at'), (SELECT now FROM clock)
      FROM (SELECT value AS entry FROM json_each(NEW.recorded) LIMIT -1 OFFSET 0)
     CROSS JOIN runs
     WHERE runs.id = json_extract(entry, '$.run_id') AND runs.claim = json_extract(entry, '$.claim')
       AND runs.worker = NEW.worker_id AND runs.state = 'held';
    SELECT RAISE(ABORT, 'a run that records is not held')
     WHERE changes() <> json_array_length(NEW.recorded);

    -- Rule 8: an acknowledged cancel decides how a run ends. None can come between this and the end: one writer.
    SELECT RAISE(ABORT, 'a cancel decides')
      FROM json_each(NEW.finished) AS entry
     CROSS JOIN messages
     WHERE messages.kind = 'cancel' AND messages.run_id = json_extract(entry.value, '$.run_id')
       AND json_extract(entry.value, '$.state') <> 'cancelled';

    -- From held to its end, for the claim that holds it; `finished_by` stays, so that a resent finish finds itself.
    UPDATE runs
       SET state = into_state, finished_at = (SELECT now FROM clock), finished_by = claim, reason = because,
           worker = NULL, claim = NULL
      FROM (SELECT json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim,
                   json_extract(value, '$.state') AS into_state, json_extract(value, '$.reason') AS because
              FROM json_each(NEW.finished)) AS ended
     WHERE id = run_id AND claim = of_claim AND +worker = NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that ends is not held')
     WHERE changes() <> json_array_length(NEW.finished);

    INSERT INTO outputs (run_id, codec, body)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.output.codec'), json_extract(entry, '$.output.text')
      FROM (SELECT value AS entry FROM json_each(NEW.lived) LIMIT -1 OFFSET 0)
     WHERE json_type(entry, '$.output') = 'object'
     UNION ALL
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.output.codec'), json_extract(entry, '$.output.text')
      FROM (SELECT value AS entry FROM json_each(NEW.finished) LIMIT -1 OFFSET 0)
     WHERE json_type(entry, '$.output') = 'object';

    -- The claim ends and gives its attempt back; the run says what it waits for.
    UPDATE runs
       SET state = 'parked', worker = NULL, claim = NULL, last_claim = claim, last_state = 'parked',
           attempts = max(attempts - 1, 0), due_at = json_extract(entry, '$.due_at'),
           children_seen = json_extract(entry, '$.children_seen'),
           waits_for = nullif(json_extract(entry, '$.waits_for'), '[]'),
           needs_mend = json_extract(entry, '$.needs_mend'), reason = json_extract(entry, '$.reason')
      FROM (SELECT value AS entry, json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim
              FROM json_each(NEW.parked)) AS ended
     WHERE id = run_id AND claim = of_claim AND +worker = NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that parks is not held')
     WHERE changes() <> json_array_length(NEW.parked);

    -- Back to ready, with the attempt given back unless it stays charged.
    UPDATE runs
       SET state = 'ready', worker = NULL, claim = NULL, last_claim = claim, last_state = 'ready', due_at = NULL,
           attempts = max(attempts - iif(json_extract(entry, '$.charged'), 0, 1), 0),
           reason = json_extract(entry, '$.reason')
      FROM (SELECT value AS entry, json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim
              FROM json_each(NEW.released)) AS ended
     WHERE id = run_id AND claim = of_claim AND +worker = NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that is let go of is not held')
     WHERE changes() <> json_array_length(NEW.released);

    -- Rule 8: cancels of what this worker holds are told to it; an index that is mostly empty.
    SELECT note_cancel(messages.run_id)
      FROM messages
     CROSS JOIN runs
     WHERE messages.consumed_at IS NULL AND messages.kind = 'cancel'
       AND runs.id = messages.run_id AND runs.worker = NEW.worker_id;
END;

-- What a worker takes of one queue: at most so many `slots`, under these `claims`, which were drawn before;
-- `last_attempts`: whether runs at their last one are 'left' where they are, or one is taken by a worker that holds
-- nothing ('alone'), or they are taken 'beside' others. Nothing is ever in it; `take_runs` is what an INSERT does.
CREATE VIEW claim AS
SELECT NULL AS worker_id, NULL AS queue, NULL AS slots, NULL AS names, NULL AS last_attempts,
       NULL AS claims
 WHERE FALSE;

-- One statement, and so one transaction, for what is woken and what is taken. Which runs those are stands in the
-- worker's own row: a trigger gives no answer, and whether a run is fresh cannot be seen any more once it is held.
CREATE TRIGGER take_runs INSTEAD OF INSERT ON claim
BEGIN
    -- Rule 1.
    SELECT RAISE(ABORT, 'the worker has no row')
     WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = NEW.worker_id);

    -- Delayed runs and sleepers whose time has come, the earliest first; bounded, the next claim takes the rest.
    UPDATE runs SET state = 'ready', due_at = NULL, children_seen = NULL, waits_for = NULL
     WHERE seq IN (SELECT seq FROM due_runs ORDER BY due_at LIMIT 1000);

    -- Rule 7: what a parked run waits for is looked up, never flagged. The write lock makes the answer final.
    UPDATE runs SET state = 'ready', due_at = NULL, children_seen = NULL, waits_for = NULL
     WHERE seq IN (SELECT seq FROM woken_runs);

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
           is_beside = holds_some,
           started_at = coalesce(started_at, (SELECT now FROM clock)), reason = NULL
      FROM (SELECT json_extract(value, '$[0]') AS of_run, json_extract(value, '$[2]') AS steps,
                   json_extract(value, '$[3]') AS holds_some,
                   json_extract(NEW.claims, '$[' || key || ']') AS for_claim
              FROM json_each((SELECT json_extract(taken, '$[1]') FROM workers
                               WHERE workers.id = NEW.worker_id
                                 AND json_extract(taken, '$[0]') = json_extract(NEW.claims, '$[0]')))) AS charged
     WHERE seq = of_run AND state = 'ready';
END;
