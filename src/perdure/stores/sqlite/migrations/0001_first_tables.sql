-- Frozen once released: later changes are later files.

-- The one clock, in seconds since the epoch (unixepoch('subsec') would need SQLite 3.42): whatever is due, and every time that is
-- written, goes by it. Tests skip time by putting another one in its place.
CREATE VIEW clock AS
SELECT (julianday('now') - 2440587.5) * 86400.0 AS now;

CREATE TABLE migrations (
    version    INTEGER NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at REAL NOT NULL
) STRICT;

-- A process that may write. No row, no right to write. `renewed_at` is there for others to see that it changes within
-- `lease_seconds` of their own clocks: no clock is compared with it (rule 10). `queues`, `names` (JSON arrays) and
-- `version`: what it takes runs of, and with which code; for people and for whoever asks if anybody could take a run.
-- Written at the start and when it changes.
CREATE TABLE workers (
    id          TEXT NOT NULL PRIMARY KEY,
    hostname    TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    joined_at   REAL NOT NULL,
    renewed_at  REAL NOT NULL,
    lease_seconds REAL NOT NULL,
    queues      TEXT NOT NULL DEFAULT '[]',
    names       TEXT NOT NULL DEFAULT '[]',
    version     TEXT
) STRICT, WITHOUT ROWID;

-- `seq` is the order of insertion, for first in, first out; never an identity of anything.
-- `last_claim` and `last_state`: which claim parked, released or finished the run, and what it left, so that a park
-- or a release whose reply was lost finds its own trace.
-- `waits_for`: what a parked run waits for beside a time, as `Wait` has it (rule 7).
-- `is_beside`: when it was claimed, its worker held other runs too (rule 11).
-- `stopped`: why a parked run is not woken by what it waits for: its code has to be mended, it was paused, its retries
-- are used up. `refused_by` (a JSON array): the versions of the code that could not replay it. `incarnation`: how often it
-- was started anew; the ids of its children are made of it. `flow_key`, `has_slot`, `dedup_key`, `dedup_until_start`: what
-- the limits of its queue go by. `rounds`: how often it has gone on as a new
-- one. `deadline_at`: when it is to be over; then it gets a cancel (rule 8). `is_detached`: it
-- is not cancelled with its parent.
-- `has_slot` counts while the run is held: 1, it takes a slot of all that its queue has; 0,
-- it has given that back, and asks for one.
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
    waits_for     TEXT CHECK (waits_for IS NULL OR json_type(waits_for) = 'array'),
    stopped       TEXT CHECK (CASE stopped WHEN 'mend' THEN 1 WHEN 'paused' THEN 1 WHEN 'retries' THEN 1
                                         ELSE stopped IS NULL END),
    refused_by    TEXT,
    reason        TEXT,
    incarnation   INTEGER NOT NULL DEFAULT 0,
    rounds        INTEGER NOT NULL DEFAULT 0,
    deadline_at   REAL,
    is_detached   INTEGER NOT NULL DEFAULT 0,
    flow_key      TEXT,
    has_slot      INTEGER,
    dedup_key     TEXT,
    dedup_until_start INTEGER,
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
    CHECK (state = 'parked' OR (waits_for IS NULL AND stopped IS NULL)),
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

-- `seq` is the order of recording. `claim` and `entry_id`: a resent entry finds itself. `arguments` is the beginning of
-- what the fingerprint is of, for people: nothing is decided by it.
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
    arguments   TEXT,
    recorded_at REAL NOT NULL,
    UNIQUE (run_id, key)
) STRICT;

-- Events are checkpoints: a run says something under a key, and the last counts.
CREATE INDEX checkpoints_events ON checkpoints (run_id, name, seq) WHERE kind = 'event';
-- Calls that found a run of somebody else's, which is not to be removed under them.
CREATE INDEX checkpoints_found ON checkpoints (body) WHERE kind = 'child' AND attempts = 0;

-- Streams: what a run hands out piece by piece. A row has the chunks of one writer that were committed together; of its
-- `count` offsets the first is `first`, and no offset is ever given twice. `source`: who wrote, a branch of the workflow
-- (its path and a star) or the call of a step, and at which attempt of which claim. What an attempt has written is `void`
-- when the next one begins, and a row `rewound` says so to who has read it: from `since` on. `behind`: no checkpoint that
-- has a higher `seq` was there yet, so that who goes back behind one cuts what came after it.
CREATE TABLE streams (
    run_id     TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name       TEXT NOT NULL,
    first      INTEGER NOT NULL,
    count      INTEGER NOT NULL CHECK (count > 0),
    kind       TEXT NOT NULL CHECK (CASE kind WHEN 'chunks' THEN 1 WHEN 'void' THEN 1 WHEN 'rewound' THEN 1
                                              ELSE kind = 'closed' END),
    source     TEXT NOT NULL,
    attempt    INTEGER NOT NULL,
    claim      TEXT NOT NULL,
    entry_id   TEXT NOT NULL,
    since      INTEGER,
    behind     INTEGER NOT NULL,
    codec      TEXT,
    body       TEXT,
    written_at REAL NOT NULL,
    PRIMARY KEY (run_id, name, first),
    CHECK ((kind = 'chunks') = (body IS NOT NULL)),
    CHECK ((kind = 'rewound') = (since IS NOT NULL))
) STRICT, WITHOUT ROWID;
-- An entry that is sent again finds itself.
CREATE UNIQUE INDEX streams_entries ON streams (run_id, claim, entry_id, name);

-- What was set for a queue, in the program or from outside. Most have no row, and cost nothing: then each worker has its own
-- limit and no more. `is_keyed`: runs with a key were put on it, or its keys have limits. `is_shared`: a limit holds for
-- all workers together, so a claim asks the queue's row (rule 14). `declared`: what a program has declared last, so that
-- the same declaration, made again, changes nothing that was set since.
CREATE TABLE queues (
    name               TEXT NOT NULL PRIMARY KEY,
    is_keyed           INTEGER NOT NULL DEFAULT 0 CHECK (is_keyed IN (0, 1)),
    worker_concurrency INTEGER CHECK (worker_concurrency > 0),
    concurrency        INTEGER CHECK (concurrency > 0),
    rate               INTEGER CHECK (rate > 0),
    period_seconds     REAL CHECK (period_seconds > 0),
    key_concurrency    INTEGER CHECK (key_concurrency > 0),
    key_rate           INTEGER CHECK (key_rate > 0),
    key_period_seconds REAL CHECK (key_period_seconds > 0),
    is_shared          INTEGER NOT NULL GENERATED ALWAYS AS (is_keyed OR concurrency IS NOT NULL OR rate IS NOT NULL),
    on_overflow        TEXT NOT NULL DEFAULT 'wait' CHECK (on_overflow IN ('wait', 'cancel_running', 'cancel_newest')),
    paused_at          REAL,
    declared           TEXT NOT NULL DEFAULT '{}',
    changed_at         REAL NOT NULL,
    CHECK ((rate IS NULL) = (period_seconds IS NULL)),
    CHECK ((key_rate IS NULL) = (key_period_seconds IS NULL)),
    CHECK (is_keyed OR (key_concurrency IS NULL AND key_rate IS NULL))
) STRICT, WITHOUT ROWID;

-- What comes by the clock. One of `cron` (in `timezone`), `every_seconds` and `once_at` says when; `function` with what is
-- stored of its arguments, what. `next_instant` is what it is about, `next_at` when to start it, which is later by a
-- jitter; NULL: never again. `last_run_id`: of the run that it started last, by which `overlap` goes. `declared`: a digest
-- of what the program said last: when that changes, it wins over what people have set. Whoever changes a row has seen its
-- `version`.
CREATE TABLE schedules (
    name           TEXT NOT NULL PRIMARY KEY,
    function       TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('workflow', 'step')),
    queue          TEXT NOT NULL,
    priority       INTEGER NOT NULL,
    max_attempts   INTEGER NOT NULL CHECK (max_attempts >= 1),
    fingerprint    TEXT NOT NULL,
    codec          TEXT NOT NULL,
    body           TEXT NOT NULL,
    cron           TEXT,
    timezone       TEXT,
    every_seconds  REAL CHECK (every_seconds > 0),
    once_at        REAL,
    jitter_seconds REAL NOT NULL CHECK (jitter_seconds >= 0),
    overlap        TEXT NOT NULL CHECK (overlap IN ('skip', 'queue', 'cancel', 'allow')),
    catch_up       TEXT NOT NULL CHECK (catch_up IN ('latest', 'all', 'skip')),
    declared       TEXT,
    paused_at      REAL,
    next_instant   REAL,
    next_at        REAL,
    last_instant   REAL,
    last_run_id    TEXT,
    skipped_at     REAL,
    version        INTEGER NOT NULL,
    CHECK ((cron IS NOT NULL) + (every_seconds IS NOT NULL) + (once_at IS NOT NULL) = 1),
    CHECK ((next_instant IS NULL) = (next_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX schedules_next ON schedules (next_at) WHERE paused_at IS NULL AND next_at IS NOT NULL;

-- Which schedules are to be looked at now. One that waits for its last run's end is not.
CREATE VIEW due_schedules AS
SELECT *
  FROM (SELECT schedules.*,
               EXISTS (SELECT 1 FROM runs
                        WHERE runs.id = schedules.last_run_id AND runs.finished_at IS NULL) AS is_running
          FROM schedules
         WHERE paused_at IS NULL AND next_at IS NOT NULL AND next_at <= (SELECT now FROM clock)) AS due
 WHERE overlap <> 'queue' OR NOT is_running;

-- Functions whose runs are not to begin.
CREATE TABLE pauses (
    name      TEXT NOT NULL PRIMARY KEY,
    paused_at REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- Rolling windows (rule 14): how many runs of the queue, or of a key of it, had been started in all at that moment, which
-- is that of their `started_at`. A row for each claim that has started some; those that no window looks at are removed.
CREATE TABLE starts (
    queue TEXT NOT NULL,
    key   TEXT NOT NULL,
    total INTEGER NOT NULL,
    at    REAL NOT NULL,
    PRIMARY KEY (queue, key, total)
) STRICT, WITHOUT ROWID;
CREATE INDEX starts_at ON starts (queue, key, at, total);

-- "This key may have something to start": a mailbox, to which whatever makes a run with a key ready, or frees its slot,
-- adds a row in the same transaction. A claim makes turns of them.
CREATE TABLE stirs (
    seq   INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    key   TEXT NOT NULL
) STRICT;
CREATE INDEX stirs_open ON stirs (queue, seq);

-- The line of the keys of a queue, in the order of `turn`, and which of them sleep until their window opens. The empty key
-- stands for the runs without one.
CREATE TABLE turns (
    turn     INTEGER PRIMARY KEY,
    queue    TEXT NOT NULL,
    key      TEXT NOT NULL,
    wakes_at REAL
) STRICT;
CREATE UNIQUE INDEX turns_of_keys ON turns (queue, key);
CREATE INDEX turns_in_line ON turns (queue, turn) WHERE wakes_at IS NULL;
CREATE INDEX turns_asleep ON turns (queue, wakes_at) WHERE wakes_at IS NOT NULL;

-- What others tell a run: that it is to end, or to be paused, or messages. `consumed_at` is set when the run has ended
-- by it, or received it, by the call `consumed_key`. `seq` is the order in which a topic's messages are received. What
-- asks for an update is answered: `answer` says with what, the call `answer_key` by which outcome; a refusal has no call.
CREATE TABLE messages (
    seq         INTEGER PRIMARY KEY,
    id          TEXT NOT NULL UNIQUE,
    run_id      TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL CHECK (kind IN ('cancel', 'pause', 'message')),
    topic       TEXT,
    codec       TEXT,
    body        TEXT,
    sent_at     REAL NOT NULL,
    consumed_at REAL,
    consumed_key TEXT,
    answer      TEXT CHECK (answer IN ('value', 'error', 'refusal')),
    answer_key  TEXT,
    answer_codec TEXT,
    answer_body TEXT,
    CHECK ((kind = 'message') = (topic IS NOT NULL AND codec IS NOT NULL AND body IS NOT NULL))
) STRICT;

-- The foreign key's own question: what belongs to a run that goes.
CREATE INDEX messages_of_run ON messages (run_id);
-- One cancel per run.
CREATE UNIQUE INDEX messages_cancel ON messages (run_id) WHERE kind = 'cancel';
-- The pauses that nobody has ended: one per run.
CREATE UNIQUE INDEX messages_pause ON messages (run_id) WHERE kind = 'pause' AND consumed_at IS NULL;
-- Who has steered which runs, and how; outlives the runs.
CREATE TABLE audit (
    seq    INTEGER PRIMARY KEY,
    at     REAL NOT NULL,
    who    TEXT NOT NULL,
    action TEXT NOT NULL,
    run_id TEXT NOT NULL,
    detail TEXT
) STRICT;
CREATE INDEX audit_of_run ON audit (run_id, seq);
-- What waits to be received.
CREATE INDEX messages_waiting ON messages (run_id, topic, seq) WHERE consumed_at IS NULL AND kind = 'message';
-- The cancels that nobody has acted on yet.
CREATE INDEX messages_open ON messages (run_id) WHERE consumed_at IS NULL AND kind = 'cancel';

-- What somebody asks a run that he does not hold, and what he is told; no part of any history. Whoever has answered or
-- asks no more leaves nothing: the asker takes the row away, or, where he is gone, who asks next after `expires_at`.
CREATE TABLE questions (
    id           TEXT PRIMARY KEY,
    run_id       TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    codec        TEXT NOT NULL,
    body         TEXT NOT NULL,
    expires_at   REAL NOT NULL,
    answer       TEXT CHECK (answer IN ('value', 'error')),
    answer_codec TEXT,
    answer_body  TEXT
) STRICT;
CREATE INDEX questions_open ON questions (expires_at) WHERE answer IS NULL;
CREATE INDEX questions_of_run ON questions (run_id);

-- The mailbox: "look at this run once more" (rule 13). Whoever tells a run something adds a row in the same transaction;
-- whoever has looked removes it. `worker`: who holds the run and is to be told; NULL: anybody may look. A number is
-- never given again: who has heard a row says so by its number, perhaps late.
CREATE TABLE wakes (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    worker TEXT
) STRICT;
CREATE INDEX wakes_open ON wakes (worker, seq);
-- A cancel tells its run, whoever sends it: so it stays one statement, which answers. So does a pause.
CREATE TRIGGER tell_cancels AFTER INSERT ON messages WHEN NEW.kind <> 'message'
BEGIN
    INSERT INTO wakes (run_id, worker) SELECT id, worker FROM runs WHERE id = NEW.run_id;
END;
-- The foreign key's own question.
CREATE INDEX wakes_of_run ON wakes (run_id);

-- Which parked runs the end of a run, and its events, are to be told to, beside its parent.
CREATE TABLE waits (
    waiter  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    awaited TEXT NOT NULL,
    PRIMARY KEY (waiter, awaited)
) STRICT, WITHOUT ROWID;
CREATE INDEX waits_awaited ON waits (awaited);

-- What a run waits to be told under a token by somebody outside: one answer, a message of the `topic`. Opened at the call
-- `key`; `shape` and `schema` (JSON Schema) say what the answer must be, `question` what people are
-- asked; `resolved_by` is the message. `closed_at`: no
-- answer came in time, and none is taken any more.
CREATE TABLE hooks (
    token       TEXT NOT NULL PRIMARY KEY,
    run_id      TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key         TEXT NOT NULL,
    topic       TEXT NOT NULL,
    shape       TEXT NOT NULL,
    schema      TEXT,
    question    TEXT,
    opened_at   REAL NOT NULL,
    due_at      REAL,
    resolved_at REAL,
    resolved_by TEXT,
    closed_at   REAL,
    CHECK ((resolved_at IS NULL) = (resolved_by IS NULL)),
    CHECK (resolved_at IS NULL OR closed_at IS NULL)
) STRICT, WITHOUT ROWID;
-- The foreign key's own question, and what people ask of a run.
CREATE INDEX hooks_of_run ON hooks (run_id);
-- Those that wait for an answer.
CREATE INDEX hooks_open ON hooks (opened_at) WHERE resolved_at IS NULL AND closed_at IS NULL;

-- By what people find a run: names that the program gives it, with values of its choice. `seq` is the run's. A table of
-- their own: nothing may update the row of a run that is held (rule 15).
CREATE TABLE attributes (
    run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    PRIMARY KEY (run_id, name)
) STRICT, WITHOUT ROWID;

-- How far the bodies of steps have come, as they have said last: for people. A table of their own: nothing may update the row
-- of a run that is held (rule 15).
CREATE TABLE progress (
    run_id  TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    key     TEXT NOT NULL,
    name    TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    done    REAL NOT NULL,
    total   REAL,
    note    TEXT,
    at      REAL NOT NULL,
    PRIMARY KEY (run_id, key)
) STRICT, WITHOUT ROWID;

-- What people list: by attribute, by name, what went wrong, what has not ended, what ended when; newest first, which is by `seq`, that
-- each index ends with. No index by state: each run would pass through three places of it. `seq > 0` is true of every
-- run: only a query that says it can use these, so that no statement of a worker is ever planned by them.
CREATE INDEX attributes_found ON attributes (name, value, seq);
CREATE INDEX runs_named ON runs (name) WHERE seq > 0;
CREATE INDEX runs_trouble ON runs (seq) WHERE finished_at IS NOT NULL AND state <> 'succeeded' AND seq > 0;
CREATE INDEX runs_unfinished ON runs (seq) WHERE finished_at IS NULL AND seq > 0;
CREATE INDEX runs_finished ON runs (finished_at) WHERE finished_at IS NOT NULL AND seq > 0;

-- What a claim looks at: ready now, by function, each in order, so that what nobody here can execute costs nothing.
-- History is in none of the indexes that it uses.
CREATE INDEX runs_ready ON runs (queue, name, priority, seq)
    WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL;
-- The same of runs with a key, by key.
CREATE INDEX runs_keyed ON runs (queue, flow_key, priority, seq)
    WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL;
-- Who counts for a limit (rule 14): a slot ends with its claim, whatever ends that.
CREATE INDEX runs_slots ON runs (queue, flow_key) WHERE state = 'held' AND has_slot IS NOT NULL;
-- Those among them that are to be claimed alone.
CREATE INDEX runs_last ON runs (queue, name, priority, seq)
    WHERE state = 'ready' AND due_at IS NULL AND attempts > 0 AND attempts >= max_attempts - 1;
-- What is ready later.
CREATE INDEX runs_delayed ON runs (queue, name, due_at) WHERE state = 'ready' AND due_at IS NOT NULL;
-- Sleepers, by when they wake.
CREATE INDEX runs_sleeping ON runs (queue, name, due_at)
    WHERE state = 'parked' AND due_at IS NOT NULL AND stopped IS NULL;
-- What waits for more than a time.
CREATE INDEX runs_waiting ON runs (seq)
    WHERE state = 'parked' AND waits_for IS NOT NULL;
-- What is to be over at some time and is not, by when.
CREATE INDEX runs_overdue ON runs (deadline_at) WHERE deadline_at IS NOT NULL AND finished_at IS NULL;
-- What waits for new code.
CREATE INDEX runs_to_mend ON runs (name) WHERE state = 'parked' AND stopped = 'mend';
-- What some version of the code has refused.
CREATE INDEX runs_refused ON runs (name) WHERE refused_by IS NOT NULL AND finished_at IS NULL;
-- What each worker holds; the foreign key's own question, too.
CREATE INDEX runs_held ON runs (worker, claim) WHERE worker IS NOT NULL;
-- The children of a run, in order of creation, and which of them have ended.
CREATE INDEX runs_children ON runs (parent_id, seq, finished_at) WHERE parent_id IS NOT NULL;
-- No two runs of a queue have one key, until the end or until the start of the one that has it.
CREATE UNIQUE INDEX runs_dedup ON runs (queue, dedup_key)
    WHERE dedup_key IS NOT NULL AND finished_at IS NULL AND (dedup_until_start IS NOT TRUE OR started_at IS NULL);

-- Whatever makes a run with a key ready, or ends its claim, or gives its slot back, stirs its key. Here and not in each of
-- the statements that do so: none can forget it.
CREATE TRIGGER stir_new_keys AFTER INSERT ON runs WHEN NEW.flow_key IS NOT NULL
BEGIN
    INSERT INTO queues (name, is_keyed, changed_at) SELECT NEW.queue, 1, now FROM clock WHERE true
    ON CONFLICT (name) DO UPDATE SET is_keyed = 1 WHERE NOT is_keyed;
    INSERT INTO stirs (queue, key) SELECT NEW.queue, NEW.flow_key WHERE NEW.state = 'ready' AND NEW.due_at IS NULL;
END;
CREATE TRIGGER stir_keys AFTER UPDATE OF state, due_at, has_slot ON runs
WHEN NEW.flow_key IS NOT NULL
     AND ((NEW.state = 'ready' AND NEW.due_at IS NULL AND (OLD.state <> 'ready' OR OLD.due_at IS NOT NULL))
          OR (OLD.state = 'held' AND OLD.has_slot IS NOT NULL AND (NEW.state <> 'held' OR NEW.has_slot IS NULL)))
BEGIN
    INSERT INTO stirs (queue, key) VALUES (NEW.queue, NEW.flow_key);
END;

-- Where concurrency is limited from now on, what is held already counts, whatever became of its slot before. Who knows of
-- a run that it waits gives the slot back, once it has seen that something was set.
CREATE TRIGGER count_held_of_new AFTER INSERT ON queues
WHEN coalesce(NEW.concurrency, NEW.key_concurrency) IS NOT NULL
BEGIN
    UPDATE runs SET has_slot = 1 WHERE worker IS NOT NULL AND queue = NEW.name AND has_slot IS NOT 1;
END;
CREATE TRIGGER count_held AFTER UPDATE ON queues
WHEN coalesce(NEW.concurrency, NEW.key_concurrency) IS NOT NULL
     AND coalesce(OLD.concurrency, OLD.key_concurrency) IS NULL
BEGIN
    UPDATE runs SET has_slot = 1 WHERE worker IS NOT NULL AND queue = NEW.name AND has_slot IS NOT 1;
END;

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
       (SELECT count(*) FROM checkpoints WHERE checkpoints.run_id = runs.id
                                            AND checkpoints.kind IN ('step', 'recv', 'update'))
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
       worker, parent_id, parent_key, stopped IS 'mend' AS needs_mend, stopped, reason,
       (SELECT body FROM inputs WHERE inputs.run_id = runs.id)   AS input,
       (SELECT body FROM outputs WHERE outputs.run_id = runs.id) AS output,
       strftime('%Y-%m-%d %H:%M:%f', deadline_at, 'unixepoch') AS deadline_at, seq,
       runs.finished_at IS NULL AS is_unfinished, runs.finished_at IS NOT NULL AND runs.state <> 'succeeded' AS went_wrong
  FROM runs
 WHERE runs.seq > 0;

CREATE VIEW step_view AS
SELECT run_id, key, kind, name, arguments, position, is_error, attempts,
       strftime('%Y-%m-%d %H:%M:%f', started_at, 'unixepoch')  AS started_at,
       strftime('%Y-%m-%d %H:%M:%f', recorded_at, 'unixepoch') AS recorded_at,
       body AS outcome
  FROM checkpoints;

-- What runs have said, the last of each key: for people, and for whoever asks for an event.
CREATE VIEW events AS
SELECT run_id, name AS key, codec, body AS value,
       strftime('%Y-%m-%d %H:%M:%f', recorded_at, 'unixepoch') AS set_at
  FROM checkpoints AS event
 WHERE kind = 'event'
   AND seq = (SELECT max(last.seq) FROM checkpoints AS last
               WHERE last.run_id = event.run_id AND last.name = event.name AND last.kind = 'event');

-- For programs in other languages: an INSERT makes a run, in the caller's transaction. `arguments`: a JSON array, by
-- position, or an object, by name; `run_at`: seconds since the epoch. The same `id` again, with the same function and
-- arguments, is the same run; the fingerprint '?' says that nobody has computed one.
CREATE VIEW enqueue (name, arguments, queue, id, kind, priority, run_at, key, dedup, dedup_until, on_duplicate, attributes,
                     max_attempts) AS
SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL WHERE FALSE;

CREATE TRIGGER enqueue_run INSTEAD OF INSERT ON enqueue
BEGIN
    SELECT RAISE(ABORT, 'enqueue: name, id, queue, key and dedup: give texts of 1 to 500 characters')
      FROM (SELECT coalesce(NEW.name, '') AS given UNION ALL SELECT NEW.id UNION ALL SELECT NEW.key
             UNION ALL SELECT NEW.dedup UNION ALL SELECT nullif(NEW.queue, ''))
     WHERE given IS NOT NULL AND (typeof(given) <> 'text' OR given = '' OR length(given) > 500);
    SELECT RAISE(ABORT, 'enqueue: arguments: give a JSON array, by position, or an object, by name')
     WHERE NOT json_valid(coalesce(NEW.arguments, '[]'))
        OR json_type(coalesce(NEW.arguments, '[]')) NOT IN ('array', 'object');
    SELECT RAISE(ABORT, 'enqueue: arguments: names that begin with $ are not for other programs')
      FROM json_tree(coalesce(NEW.arguments, '[]'))
     WHERE typeof(key) = 'text' AND substr(key, 1, 1) = '$';
    SELECT RAISE(ABORT, 'enqueue: id: an id that ends so is that of the run which undoes what another one has done')
     WHERE NEW.id GLOB '*:undo'
        OR (NEW.id GLOB '*:undo:*[0-9]' AND rtrim(NEW.id, '0123456789') GLOB '*:undo:');
    SELECT RAISE(ABORT, 'enqueue: kind: give workflow or step')
     WHERE coalesce(NEW.kind, 'workflow') NOT IN ('workflow', 'step');
    SELECT RAISE(ABORT, 'enqueue: dedup_until: give end or start')
     WHERE coalesce(NEW.dedup_until, 'end') NOT IN ('end', 'start');
    SELECT RAISE(ABORT, 'enqueue: on_duplicate: give reject or return_existing')
     WHERE coalesce(NEW.on_duplicate, 'reject') NOT IN ('reject', 'return_existing');
    SELECT RAISE(ABORT, 'enqueue: key: it is whose turn it is in a queue; give one')
     WHERE NEW.key IS NOT NULL AND coalesce(NEW.queue, '') = '';
    SELECT RAISE(ABORT, 'enqueue: priority and max_attempts: give whole numbers; run_at: seconds since the epoch')
     WHERE typeof(coalesce(NEW.priority, 0)) <> 'integer' OR typeof(coalesce(NEW.max_attempts, 1)) <> 'integer'
        OR coalesce(NEW.max_attempts, 1) < 1 OR typeof(coalesce(NEW.run_at, 0)) NOT IN ('integer', 'real');
    SELECT RAISE(ABORT, 'enqueue: priority: give a number of 32 bits')
     WHERE coalesce(NEW.priority, 0) NOT BETWEEN -2147483648 AND 2147483647;
    SELECT RAISE(ABORT, 'enqueue: max_attempts: give at most 2147483647')
     WHERE coalesce(NEW.max_attempts, 1) > 2147483647;
    SELECT RAISE(ABORT, 'enqueue: run_at: give a time of the years 1 to 9999')
     WHERE coalesce(NEW.run_at, 0) NOT BETWEEN -62135596800 AND 253402300799;
    SELECT RAISE(ABORT, 'enqueue: attributes: give a JSON object of at most 32 texts, numbers, true or false')
     WHERE NEW.attributes IS NOT NULL
       AND (NOT json_valid(NEW.attributes) OR json_type(NEW.attributes) <> 'object'
            OR instr(replace(NEW.attributes, '\\', ''), '\u0000') > 0 -- which JSON functions cut
            OR (SELECT count(*) > 32 OR max(type NOT IN ('text', 'integer', 'real', 'true', 'false'))
                       OR max(coalesce(length(key) NOT BETWEEN 1 AND 500 OR length(value) NOT BETWEEN 1 AND 500, 1))
                  FROM json_each(NEW.attributes)));
    SELECT RAISE(ABORT, 'enqueue: attributes: give each name once')
     WHERE (SELECT count(*) > count(DISTINCT key) FROM json_each(coalesce(NEW.attributes, '{}')));
    SELECT RAISE(ABORT, 'enqueue: name, id, queue, key, dedup, attributes: give texts without control characters or line breaks')
      FROM (SELECT NEW.name AS given UNION ALL SELECT NEW.id UNION ALL SELECT NEW.queue UNION ALL SELECT NEW.key
             UNION ALL SELECT NEW.dedup
             UNION ALL SELECT key FROM json_each(coalesce(NEW.attributes, '{}'))
             UNION ALL SELECT atom FROM json_each(coalesce(NEW.attributes, '{}')))
     WHERE instr(given, char(0)) > 0 OR given GLOB '*[' || char(
               1, 45, 31, 127, 45, 160, 173, 1536, 45, 1541, 1564, 1757, 1807, 2192, 45, 2193,
               2274, 5760, 6158, 8192, 45, 8207, 8232, 45, 8239, 8287, 45, 8303, 12288, 57344, 45,
               63743, 65279, 65529, 45, 65531, 69821, 69837, 78896, 45, 78911, 113824, 45, 113827,
               119155, 45, 119162, 917505, 45, 917631, 983040, 45, 1114109) || ']*';

    SELECT RAISE(IGNORE)
      FROM runs JOIN inputs ON inputs.run_id = runs.id
     WHERE runs.id = NEW.id AND runs.name = NEW.name AND inputs.codec = 'json'
       AND json(inputs.body) = json(coalesce(NEW.arguments, '[]'));
    SELECT RAISE(ABORT, 'enqueue: a run with this id exists, of another function or with other arguments')
      FROM runs WHERE id = NEW.id;
    SELECT CASE WHEN NEW.on_duplicate = 'return_existing' AND name = NEW.name THEN RAISE(IGNORE)
                ELSE RAISE(ABORT, 'enqueue: another run of the queue has this key') END
      FROM runs
     WHERE queue = coalesce(NEW.queue, '') AND dedup_key = NEW.dedup AND finished_at IS NULL
       AND (dedup_until_start IS NOT TRUE OR started_at IS NULL);

    INSERT INTO runs (id, kind, name, queue, state, priority, due_at, created_at, attempts, max_attempts, created_by,
                      fingerprint, flow_key, dedup_key, dedup_until_start)
    SELECT coalesce(NEW.id, printf('%08x-%04x-7%03x-%s%03x-%s', ms >> 16, ms & 65535, random() & 4095,
                                   substr('89ab', 1 + (random() & 3), 1), random() & 4095, lower(hex(randomblob(6))))),
           coalesce(NEW.kind, 'workflow'), NEW.name, coalesce(NEW.queue, ''), 'ready', coalesce(NEW.priority, 0),
           NEW.run_at, now, 0, coalesce(NEW.max_attempts, 10), 'sql', '?', NEW.key, NEW.dedup,
           CASE WHEN NEW.dedup_until = 'start' AND NEW.dedup IS NOT NULL THEN 1 END
      FROM (SELECT now, CAST(now * 1000 AS INTEGER) AS ms FROM clock);
    INSERT INTO inputs (run_id, codec, body)
    SELECT id, 'json', coalesce(NEW.arguments, '[]') FROM runs WHERE seq = last_insert_rowid();
    INSERT INTO attributes (run_id, name, value, seq)
    SELECT runs.id, given.key, CASE given.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE given.value END,
           runs.seq
      FROM json_each(coalesce(NEW.attributes, '{}')) AS given
     CROSS JOIN runs
     WHERE runs.id = (SELECT id FROM runs ORDER BY seq DESC LIMIT 1);
END;
