-- Frozen once released: later changes are later files.

-- The one clock: whatever is due, and every time that is written, goes by it. Inlined where it is called, so it costs
-- what `clock_timestamp` costs. A condition that is to be answered by an index asks `(SELECT perdure.now())`. Tests skip
-- time by putting another one in its place.
CREATE FUNCTION perdure.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$ SELECT clock_timestamp() $$;

-- A process that may write. No row, no right to write (rule 1 of the protocol).
-- `timeline`: the server's history at the time of joining; where the server does not tell it (NULL), `writes` counts
-- this worker's transactions instead, and must equal what the process has counted. `decisions`: the mark of the
-- functions that it calls; they stay while it lives.
-- `renewed_at` is there for others to see that it changes within `lease_seconds` of their own clocks: no clock is
-- compared with it (rule 10). `lock_no`: the number of the advisory lock that its session holds, where `has_lock` (behind a
-- pooler there is none). `sessions`: the name that all its sessions have, by which they are ended when it is dead.
-- `queues`, `names` and `version`: what it takes runs of, and with which code; for people and
-- for whoever asks if anybody could take a run. Written at the start and when it changes.
CREATE TABLE perdure.workers (
    id          uuid PRIMARY KEY,
    hostname    text NOT NULL,
    pid         integer NOT NULL,
    timeline    text,
    writes      bigint NOT NULL DEFAULT 0,
    joined_at   timestamptz NOT NULL DEFAULT perdure.now(),
    renewed_at  timestamptz NOT NULL DEFAULT perdure.now(),
    lease_seconds double precision NOT NULL,
    decisions   text NOT NULL,
    sessions    text NOT NULL,
    lock_no     integer GENERATED ALWAYS AS IDENTITY (CYCLE),
    has_lock    boolean NOT NULL DEFAULT false,
    queues      text[] NOT NULL DEFAULT '{}',
    names       text[] NOT NULL DEFAULT '{}',
    version     text
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- `seq` is the order of insertion, for first in, first out; never an identity of anything.
-- `last_claim` and `last_state`: which claim parked, released or finished the run, and what it left, so that a park
-- or a release whose reply was lost finds its own trace.
-- `waits_for`: what a parked run waits for beside a time, as `Wait` has it (rule 7).
-- `is_beside`: when it was claimed, its worker held other runs too (rule 11).
-- `stopped`: why a parked run is not woken by what it waits for: its code has to be mended, it was paused, its retries
-- are used up. `refused_by`: the versions of the code that could not replay it. `incarnation`: how often it was started
-- anew; the ids of its children are made of it. `flow_key`, `has_slot`, `dedup_key`, `dedup_until_start`: what the limits
-- of its queue go by. `rounds`: how often it has gone on as a new
-- one. `deadline_at`: when it is to be over; then it gets a cancel (rule 8). `is_detached`: it is not
-- cancelled with its parent.
-- `has_slot` counts while the run is held: true, it takes a slot of all that its queue has; false, it
-- has given that back, and asks for one.
-- Ids, keys and names compare by their bytes (COLLATE "C"), whatever the database's language is.
CREATE TABLE perdure.runs (
    id            text COLLATE "C" PRIMARY KEY,
    seq           bigint GENERATED ALWAYS AS IDENTITY,
    kind          text NOT NULL CHECK (kind IN ('workflow', 'step')),
    name          text COLLATE "C" NOT NULL,
    queue         text COLLATE "C" NOT NULL,
    state         text NOT NULL
                  CHECK (state IN ('ready', 'held', 'parked', 'succeeded', 'failed', 'cancelled', 'dead')),
    priority      integer NOT NULL,
    due_at        timestamptz,
    created_at    timestamptz NOT NULL DEFAULT perdure.now(),
    started_at    timestamptz,
    finished_at   timestamptz,
    worker        uuid,
    claim         uuid,
    attempts      integer NOT NULL CHECK (attempts >= 0),
    max_attempts  integer NOT NULL CHECK (max_attempts >= 1),
    progress_mark integer NOT NULL DEFAULT 0,
    is_beside     boolean NOT NULL DEFAULT false,
    finished_by   uuid,
    last_claim    uuid,
    last_state    text,
    created_by    text NOT NULL,
    parent_id     text COLLATE "C",
    parent_key    text COLLATE "C",
    fingerprint   text NOT NULL,
    waits_for     json,
    stopped       text CHECK (stopped IN ('mend', 'paused', 'retries')),
    refused_by    text[],
    reason        text,
    incarnation   integer NOT NULL DEFAULT 0,
    rounds        integer NOT NULL DEFAULT 0,
    deadline_at   timestamptz,
    is_detached   boolean NOT NULL DEFAULT false,
    flow_key      text COLLATE "C",
    has_slot      boolean,
    dedup_key     text COLLATE "C",
    dedup_until_start boolean,
    CHECK ((state = 'held') = (worker IS NOT NULL)),
    CHECK ((state = 'held') = (claim IS NOT NULL)),
    CHECK ((state IN ('succeeded', 'failed', 'cancelled', 'dead')) = (finished_at IS NOT NULL)),
    CHECK (state <> 'held' OR started_at IS NOT NULL),
    CHECK (state = 'parked' OR (waits_for IS NULL AND stopped IS NULL)),
    CHECK ((parent_id IS NULL) = (parent_key IS NULL))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- Inputs and outputs live apart, so that the hot row stays small. No foreign keys to `runs` here and below: each check
-- would lock, and so rewrite, the hot row; every insert already joins or makes the run in the same transaction.
CREATE TABLE perdure.inputs (
    run_id text COLLATE "C" PRIMARY KEY,
    codec  text NOT NULL,
    body   text NOT NULL
);

CREATE TABLE perdure.outputs (
    run_id text COLLATE "C" PRIMARY KEY,
    codec  text NOT NULL,
    body   text NOT NULL
);

-- `seq` is the order of recording. `claim` and `entry_id`: a resent entry finds itself. `arguments` is the beginning of
-- what the fingerprint is of, for people: nothing is decided by it.
CREATE TABLE perdure.checkpoints (
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    run_id      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    claim       uuid NOT NULL,
    entry_id    text NOT NULL,
    position    integer,
    kind        text NOT NULL,
    name        text NOT NULL,
    fingerprint text NOT NULL,
    is_error    boolean NOT NULL,
    codec       text NOT NULL,
    body        text NOT NULL,
    attempts    integer NOT NULL,
    started_at  timestamptz,
    arguments   text,
    recorded_at timestamptz NOT NULL DEFAULT perdure.now(),
    PRIMARY KEY (run_id, key)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- Events are checkpoints: a run says something under a key, and the last counts.
CREATE INDEX checkpoints_events ON perdure.checkpoints (run_id, name, seq) WHERE kind = 'event';
-- Calls that found a run of somebody else's, which is not to be removed under them.
CREATE INDEX checkpoints_found ON perdure.checkpoints (body) WHERE kind = 'child' AND attempts = 0;

-- Streams: what a run hands out piece by piece. A row has the chunks of one writer that were committed together; of its
-- `count` offsets the first is `first`, and no offset is ever given twice. `source`: who wrote, a branch of the workflow
-- (its path and a star) or the call of a step, and at which attempt of which claim. What an attempt has written is `void`
-- when the next one begins, and a row `rewound` says so to who has read it: from `since` on. `behind`: no checkpoint that
-- has a higher `seq` was there yet, so that who goes back behind one cuts what came after it.
CREATE TABLE perdure.streams (
    run_id     text COLLATE "C" NOT NULL,
    name       text COLLATE "C" NOT NULL,
    first      bigint NOT NULL,
    count      integer NOT NULL CHECK (count > 0),
    kind       text NOT NULL CHECK (kind IN ('chunks', 'void', 'rewound', 'closed')),
    source     text COLLATE "C" NOT NULL,
    attempt    integer NOT NULL,
    claim      uuid NOT NULL,
    entry_id   text NOT NULL,
    since      bigint,
    behind     bigint NOT NULL,
    codec      text,
    body       text,
    written_at timestamptz NOT NULL DEFAULT perdure.now(),
    PRIMARY KEY (run_id, name, first),
    CHECK ((kind = 'chunks') = (body IS NOT NULL)),
    CHECK ((kind = 'rewound') = (since IS NOT NULL))
) WITH (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
-- An entry that is sent again finds itself.
CREATE UNIQUE INDEX streams_entries ON perdure.streams (run_id, claim, entry_id, name);

-- What was set for a queue, in the program or from outside. Most have no row, and cost nothing: then each worker has its own
-- limit and no more. `is_keyed`: runs with a key were put on it, or its keys have limits. `is_shared`: a limit holds for
-- all workers together, so a claim asks the queue's row (rule 14). `declared`: what a program has declared last, so that
-- the same declaration, made again, changes nothing that was set since. `line_from`: no key in line has an earlier turn, so
-- that a claim does not walk those that have left the line.
CREATE TABLE perdure.queues (
    name               text COLLATE "C" PRIMARY KEY,
    is_keyed           boolean NOT NULL DEFAULT false,
    worker_concurrency integer CHECK (worker_concurrency > 0),
    concurrency        integer CHECK (concurrency > 0),
    rate               integer CHECK (rate > 0),
    period_seconds     double precision CHECK (period_seconds > 0),
    key_concurrency    integer CHECK (key_concurrency > 0),
    key_rate           integer CHECK (key_rate > 0),
    key_period_seconds double precision CHECK (key_period_seconds > 0),
    is_shared          boolean NOT NULL GENERATED ALWAYS AS (is_keyed OR concurrency IS NOT NULL OR rate IS NOT NULL) STORED,
    on_overflow        text NOT NULL DEFAULT 'wait' CHECK (on_overflow IN ('wait', 'cancel_running', 'cancel_newest')),
    paused_at          timestamptz,
    declared           jsonb NOT NULL DEFAULT '{}',
    changed_at         timestamptz NOT NULL DEFAULT perdure.now(),
    line_from          bigint NOT NULL DEFAULT 0,
    CHECK ((rate IS NULL) = (period_seconds IS NULL)),
    CHECK ((key_rate IS NULL) = (key_period_seconds IS NULL)),
    CHECK (is_keyed OR (key_concurrency IS NULL AND key_rate IS NULL))
);

-- What comes by the clock. One of `cron` (in `timezone`), `every_seconds` and `once_at` says when; `function` with what is
-- stored of its arguments, what. `next_instant` is what it is about, `next_at` when to start it, which is later by a
-- jitter; NULL: never again. `last_run_id`: of the run that it started last, by which `overlap` goes. `declared`: a digest
-- of what the program said last: when that changes, it wins over what people have set. Whoever changes a row has seen its
-- `version`.
CREATE TABLE perdure.schedules (
    name           text COLLATE "C" PRIMARY KEY,
    function       text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('workflow', 'step')),
    queue          text COLLATE "C" NOT NULL,
    priority       integer NOT NULL,
    max_attempts   integer NOT NULL CHECK (max_attempts >= 1),
    fingerprint    text NOT NULL,
    codec          text NOT NULL,
    body           text NOT NULL,
    cron           text,
    timezone       text,
    every_seconds  double precision CHECK (every_seconds > 0),
    once_at        timestamptz,
    jitter_seconds double precision NOT NULL CHECK (jitter_seconds >= 0),
    overlap        text NOT NULL CHECK (overlap IN ('skip', 'queue', 'cancel', 'allow')),
    catch_up       text NOT NULL CHECK (catch_up IN ('latest', 'all', 'skip')),
    declared       text,
    paused_at      timestamptz,
    next_instant   timestamptz,
    next_at        timestamptz,
    last_instant   timestamptz,
    last_run_id    text COLLATE "C",
    skipped_at     timestamptz,
    version        bigint NOT NULL,
    CHECK (num_nonnulls(cron, every_seconds, once_at) = 1),
    CHECK ((next_instant IS NULL) = (next_at IS NULL))
);
CREATE INDEX schedules_next ON perdure.schedules (next_at) WHERE paused_at IS NULL AND next_at IS NOT NULL;

-- Which schedules are to be looked at now, the longest due first. One that waits for its last run's end is not.
CREATE VIEW perdure.due_schedules AS
SELECT *
  FROM (SELECT schedules.*,
               EXISTS (SELECT 1 FROM perdure.runs
                        WHERE runs.id = schedules.last_run_id AND runs.finished_at IS NULL OFFSET 0) AS is_running
          FROM perdure.schedules
         WHERE paused_at IS NULL AND next_at IS NOT NULL AND next_at <= (SELECT perdure.now())) AS due
 WHERE overlap <> 'queue' OR NOT is_running;

-- Functions whose runs are not to begin.
CREATE TABLE perdure.pauses (
    name      text COLLATE "C" PRIMARY KEY,
    paused_at timestamptz NOT NULL DEFAULT perdure.now()
);

-- Rolling windows (rule 14): how many runs of the queue, or of a key of it, had been started in all at that moment, which
-- is that of their `started_at`. A row for each claim that has started some; those that no window looks at are removed.
CREATE TABLE perdure.starts (
    queue text COLLATE "C" NOT NULL,
    key   text COLLATE "C" NOT NULL,
    total bigint NOT NULL,
    at    timestamptz NOT NULL,
    PRIMARY KEY (queue, key, total)
);
CREATE INDEX starts_at ON perdure.starts (queue, key, at DESC, total DESC);

-- "This key may have something to start": a mailbox, to which whatever makes a run with a key ready, or frees its slot,
-- adds a row in the same transaction. A claim makes turns of them.
CREATE TABLE perdure.stirs (
    seq   bigint GENERATED ALWAYS AS IDENTITY,
    queue text COLLATE "C" NOT NULL,
    key   text COLLATE "C" NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
CREATE INDEX stirs_open ON perdure.stirs (queue, seq);

-- The line of the keys of a queue, and which of them sleep until their window opens. Written by whoever has locked the
-- queue's row, and by nobody else. The empty key stands for the runs without one.
CREATE TABLE perdure.turns (
    queue    text COLLATE "C" NOT NULL,
    key      text COLLATE "C" NOT NULL,
    turn     bigint NOT NULL,
    wakes_at timestamptz,
    PRIMARY KEY (queue, key)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
CREATE SEQUENCE perdure.turns_given;
CREATE INDEX turns_in_line ON perdure.turns (queue, turn) WHERE wakes_at IS NULL;
CREATE INDEX turns_asleep ON perdure.turns (queue, wakes_at) WHERE wakes_at IS NOT NULL;

-- What others tell a run: that it is to end, or to be paused, or messages. `consumed_at` is set when the run has ended
-- by it, or received it, by the call `consumed_key`. `seq` is the order in which a topic's messages are received. What
-- asks for an update is answered: `answer` says with what, the call `answer_key` by which outcome; a refusal has no call.
CREATE TABLE perdure.messages (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    run_id      text COLLATE "C" NOT NULL,
    seq         bigint GENERATED ALWAYS AS IDENTITY,
    kind        text NOT NULL CHECK (kind IN ('cancel', 'pause', 'message')),
    topic       text COLLATE "C",
    codec       text,
    body        text,
    sent_at     timestamptz NOT NULL DEFAULT perdure.now(),
    consumed_at timestamptz,
    consumed_key text COLLATE "C",
    answer      text CHECK (answer IN ('value', 'error', 'refusal')),
    answer_key  text COLLATE "C",
    answer_codec text,
    answer_body text,
    CHECK ((kind = 'message') = (topic IS NOT NULL AND codec IS NOT NULL AND body IS NOT NULL))
);

-- One cancel per run.
CREATE UNIQUE INDEX messages_cancel ON perdure.messages (run_id) WHERE kind = 'cancel';
-- The pauses that nobody has ended: one per run.
CREATE UNIQUE INDEX messages_pause ON perdure.messages (run_id) WHERE kind = 'pause' AND consumed_at IS NULL;
-- Who has steered which runs, and how; outlives the runs.
CREATE TABLE perdure.audit (
    seq    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT perdure.now(),
    who    text NOT NULL,
    action text NOT NULL,
    run_id text COLLATE "C" NOT NULL,
    detail text
);
CREATE INDEX audit_of_run ON perdure.audit (run_id, seq);
-- What waits to be received.
CREATE INDEX messages_waiting ON perdure.messages (run_id, topic, seq) WHERE consumed_at IS NULL AND kind = 'message';
-- What belongs to a run that goes.
CREATE INDEX messages_of_run ON perdure.messages (run_id);
-- The cancels that nobody has acted on yet.
CREATE INDEX messages_open ON perdure.messages (run_id) WHERE consumed_at IS NULL AND kind = 'cancel';

-- What somebody asks a run that he does not hold, and what he is told; no part of any history. Whoever has answered or
-- asks no more leaves nothing: the asker takes the row away, or, where he is gone, who asks next after `expires_at`.
CREATE TABLE perdure.questions (
    id           uuid PRIMARY KEY,
    run_id       text COLLATE "C" NOT NULL,
    name         text NOT NULL,
    codec        text NOT NULL,
    body         text NOT NULL,
    expires_at   timestamptz NOT NULL,
    answer       text CHECK (answer IN ('value', 'error')),
    answer_codec text,
    answer_body  text
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX questions_open ON perdure.questions (expires_at) WHERE answer IS NULL;
CREATE INDEX questions_of_run ON perdure.questions (run_id);

-- The mailbox: "look at this run once more" (rule 13). Whoever tells a run something adds a row in the same transaction;
-- whoever has looked removes it. `worker`: who holds the run and is to be told; NULL: anybody may look.
CREATE TABLE perdure.wakes (
    seq    bigint GENERATED ALWAYS AS IDENTITY,
    run_id text COLLATE "C" NOT NULL,
    worker uuid
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX wakes_open ON perdure.wakes (worker, seq);

-- Which parked runs the end of a run, and its events, are to be told to, beside its parent.
CREATE TABLE perdure.waits (
    waiter  text COLLATE "C" NOT NULL,
    awaited text COLLATE "C" NOT NULL,
    PRIMARY KEY (waiter, awaited)
);
CREATE INDEX waits_awaited ON perdure.waits (awaited);

-- What a run waits to be told under a token by somebody outside: one answer, a message of the `topic`. Opened at the call
-- `key`; `shape` and `schema` (JSON Schema) say what the answer must be, `question` what people are
-- asked; `resolved_by` is the message. `closed_at`: no
-- answer came in time, and none is taken any more.
CREATE TABLE perdure.hooks (
    token       text COLLATE "C" PRIMARY KEY,
    run_id      text COLLATE "C" NOT NULL,
    key         text COLLATE "C" NOT NULL,
    topic       text COLLATE "C" NOT NULL,
    shape       text NOT NULL,
    schema      text,
    question    text,
    opened_at   timestamptz NOT NULL DEFAULT perdure.now(),
    due_at      timestamptz,
    resolved_at timestamptz,
    resolved_by uuid,
    closed_at   timestamptz,
    CHECK ((resolved_at IS NULL) = (resolved_by IS NULL)),
    CHECK (resolved_at IS NULL OR closed_at IS NULL)
);
-- What people ask of a run.
CREATE INDEX hooks_of_run ON perdure.hooks (run_id);
-- Those that wait for an answer.
CREATE INDEX hooks_open ON perdure.hooks (opened_at) WHERE resolved_at IS NULL AND closed_at IS NULL;

-- By what people find a run: names that the program gives it, with values of its choice. `seq` is the run's. A table of
-- their own: nothing may update the row of a run that is held (rule 15).
CREATE TABLE perdure.attributes (
    run_id text COLLATE "C" NOT NULL,
    name   text COLLATE "C" NOT NULL,
    value  text NOT NULL,
    seq    bigint NOT NULL,
    PRIMARY KEY (run_id, name)
);

-- How far the bodies of steps have come, as they have said last: for people. A table of their own: nothing may update the row
-- of a run that is held (rule 15).
CREATE TABLE perdure.progress (
    run_id  text COLLATE "C" NOT NULL,
    key     text COLLATE "C" NOT NULL,
    name    text NOT NULL,
    attempt integer NOT NULL,
    done    double precision NOT NULL,
    total   double precision,
    note    text,
    at      timestamptz NOT NULL DEFAULT perdure.now(),
    PRIMARY KEY (run_id, key)
);

-- What people list: all, by attribute, by name, what went wrong, what has not ended, what ended when; newest first, which is by `seq`, that
-- each index ends with. No index by state: each run would pass through three places of it. `seq > 0` is true of every
-- run: only a query that says it can use these, so that no statement of a worker is ever planned by them.
CREATE UNIQUE INDEX runs_in_order ON perdure.runs (seq) WHERE seq > 0;
CREATE INDEX attributes_found ON perdure.attributes (name, value, seq);
CREATE INDEX runs_named ON perdure.runs (name, seq) WHERE seq > 0;
CREATE INDEX runs_made_by ON perdure.runs (parent_id, seq) WHERE parent_id IS NOT NULL AND seq > 0;
CREATE INDEX runs_trouble ON perdure.runs (seq)
    WHERE finished_at IS NOT NULL AND state <> 'succeeded' AND seq > 0;
CREATE INDEX runs_unfinished ON perdure.runs (seq) WHERE finished_at IS NULL AND seq > 0;
CREATE INDEX runs_finished ON perdure.runs (finished_at, seq) WHERE finished_at IS NOT NULL AND seq > 0;

-- What a claim looks at: ready now, by function, each in order, so that what nobody here can execute costs nothing.
-- History is in none of the indexes that it uses.
CREATE INDEX runs_ready ON perdure.runs (queue, name, priority, seq)
    WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL;
-- The same of runs with a key, by key.
CREATE INDEX runs_keyed ON perdure.runs (queue, flow_key, priority, seq)
    WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL;
-- Who counts for a limit (rule 14): a slot ends with its claim, whatever ends that.
CREATE INDEX runs_slots ON perdure.runs (queue, flow_key) WHERE state = 'held' AND has_slot IS NOT NULL;
-- Those among them that are to be claimed alone.
CREATE INDEX runs_last ON perdure.runs (queue, name, priority, seq)
    WHERE state = 'ready' AND due_at IS NULL AND attempts > 0 AND attempts >= max_attempts - 1;
-- Delayed runs and sleepers, by when their time comes.
CREATE INDEX runs_due ON perdure.runs (queue, name, due_at)
    WHERE state IN ('ready', 'parked') AND due_at IS NOT NULL AND stopped IS NULL;
-- What is to be over at some time and is not, by when.
CREATE INDEX runs_overdue ON perdure.runs (deadline_at) WHERE deadline_at IS NOT NULL AND finished_at IS NULL;
-- What waits for new code.
CREATE INDEX runs_to_mend ON perdure.runs (name) WHERE state = 'parked' AND stopped = 'mend';
-- What some version of the code has refused.
CREATE INDEX runs_refused ON perdure.runs (name) WHERE refused_by IS NOT NULL AND finished_at IS NULL;
-- What each worker holds.
CREATE INDEX runs_held ON perdure.runs (worker, claim) WHERE worker IS NOT NULL;
-- The children of a run, and which of them have ended.
CREATE INDEX runs_children ON perdure.runs (parent_id, finished_at) WHERE parent_id IS NOT NULL;
-- No two runs of a queue have one key, until the end or until the start of the one that has it.
CREATE UNIQUE INDEX runs_dedup ON perdure.runs (queue, dedup_key)
    WHERE dedup_key IS NOT NULL AND finished_at IS NULL AND (dedup_until_start IS NOT TRUE OR started_at IS NULL);

-- No run is held by a worker that is not there. Whoever claims has locked its worker's row (the fence); so it is enough to
-- look when a worker is removed, and a foreign key, which looks for each run that is claimed, would cost a claim a seventh.
-- Looked at when the transaction commits: a takeover deletes the worker before it puts the runs back.
CREATE FUNCTION perdure.check_holds_nothing() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM perdure.runs WHERE worker = OLD.id) THEN
        RAISE EXCEPTION 'worker % holds runs: it cannot be removed', OLD.id USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER hold_nothing AFTER DELETE ON perdure.workers DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION perdure.check_holds_nothing();

-- Whatever makes a run with a key ready, or ends its claim, or gives its slot back, stirs its key. Here and not in each of
-- the statements that do so: none can forget it, and what has no key pays one comparison.
CREATE FUNCTION perdure.stir_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NOT EXISTS (SELECT 1 FROM perdure.queues WHERE name = NEW.queue AND is_keyed) THEN
        INSERT INTO perdure.queues (name, is_keyed) VALUES (NEW.queue, true)
        ON CONFLICT (name) DO UPDATE SET is_keyed = true;
    END IF;
    IF TG_OP = 'UPDATE' OR (NEW.state = 'ready' AND NEW.due_at IS NULL) THEN
        INSERT INTO perdure.stirs (queue, key) VALUES (NEW.queue, NEW.flow_key);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER stir_new_keys AFTER INSERT ON perdure.runs FOR EACH ROW WHEN (NEW.flow_key IS NOT NULL)
EXECUTE FUNCTION perdure.stir_key();
CREATE TRIGGER stir_keys AFTER UPDATE ON perdure.runs FOR EACH ROW
WHEN (NEW.flow_key IS NOT NULL
      AND ((NEW.state = 'ready' AND NEW.due_at IS NULL AND (OLD.state <> 'ready' OR OLD.due_at IS NOT NULL))
           OR (OLD.state = 'held' AND OLD.has_slot IS NOT NULL AND (NEW.state <> 'held' OR NEW.has_slot IS NULL))))
EXECUTE FUNCTION perdure.stir_key();

-- Where concurrency is limited from now on, what is held already counts, whatever became of its slot before. Who knows of
-- a run that it waits gives the slot back, once it has seen that something was set.
CREATE FUNCTION perdure.count_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE perdure.runs SET has_slot = true WHERE worker IS NOT NULL AND queue = NEW.name AND has_slot IS NOT TRUE;
    RETURN NULL;
END $$;
CREATE TRIGGER count_held_of_new AFTER INSERT ON perdure.queues FOR EACH ROW
WHEN (coalesce(NEW.concurrency, NEW.key_concurrency) IS NOT NULL) EXECUTE FUNCTION perdure.count_held();
CREATE TRIGGER count_held AFTER UPDATE ON perdure.queues FOR EACH ROW
WHEN (coalesce(NEW.concurrency, NEW.key_concurrency) IS NOT NULL
      AND coalesce(OLD.concurrency, OLD.key_concurrency) IS NULL)
EXECUTE FUNCTION perdure.count_held();

-- Whose time has come: delayed runs, and sleepers without a cancel (one with a cancel is swept, not woken).
CREATE VIEW perdure.due_runs AS
SELECT runs.*
  FROM perdure.runs
 WHERE state IN ('ready', 'parked') AND due_at IS NOT NULL AND due_at <= (SELECT perdure.now())
   AND stopped IS NULL
   AND (state = 'ready' OR NOT EXISTS (SELECT 1 FROM perdure.messages
                                        WHERE messages.run_id = runs.id AND messages.kind = 'cancel' OFFSET 0));

-- What is not over and was to be, and has no cancel yet.
CREATE VIEW perdure.overdue_runs AS
SELECT id, deadline_at
  FROM perdure.runs
 WHERE deadline_at IS NOT NULL AND finished_at IS NULL AND deadline_at <= (SELECT perdure.now())
   AND NOT EXISTS (SELECT 1 FROM perdure.messages
                    WHERE messages.run_id = runs.id AND messages.kind = 'cancel' OFFSET 0);

-- For people. A held run that somebody has cancelled is `cancelling` until what its code does just now returns.
CREATE VIEW perdure.run_view AS
SELECT id, kind, name, queue,
       CASE WHEN state = 'held' AND EXISTS (SELECT 1 FROM perdure.messages
                                             WHERE messages.run_id = runs.id AND messages.kind = 'cancel')
            THEN 'cancelling' ELSE state END AS state,
       priority, attempts, max_attempts, created_at, due_at, started_at, finished_at,
       worker, parent_id, parent_key, coalesce(stopped = 'mend', false) AS needs_mend, stopped, reason,
       (SELECT body FROM perdure.inputs WHERE inputs.run_id = runs.id)   AS input,
       (SELECT body FROM perdure.outputs WHERE outputs.run_id = runs.id) AS output,
       deadline_at, seq, finished_at IS NULL AS is_unfinished,
       finished_at IS NOT NULL AND runs.state <> 'succeeded' AS went_wrong
  FROM perdure.runs
 WHERE runs.seq > 0;

CREATE VIEW perdure.step_view AS
SELECT run_id, key, kind, name, arguments, position, is_error, attempts, started_at, recorded_at, body AS outcome
  FROM perdure.checkpoints;

-- What runs have said, the last of each key: for people, and for whoever asks for an event.
CREATE VIEW perdure.events AS
SELECT run_id, name AS key, codec, body AS value, recorded_at AS set_at
  FROM perdure.checkpoints AS event
 WHERE kind = 'event'
   AND seq = (SELECT max(last.seq) FROM perdure.checkpoints AS last
               WHERE last.run_id = event.run_id AND last.name = event.name AND last.kind = 'event');

-- For psql and programs in other languages: makes a run in the caller's transaction, and gives its id. No worker is told:
-- one finds it when it polls. `arguments`: an array, by position, or an object, by name. The same `id` again, with the same
-- function and arguments, is the same run; the fingerprint '?' says that nobody has computed one.
CREATE FUNCTION perdure.enqueue(
    name text, arguments json DEFAULT '[]', queue text DEFAULT '', id text DEFAULT NULL, kind text DEFAULT 'workflow',
    priority integer DEFAULT 0, run_at timestamptz DEFAULT NULL, key text DEFAULT NULL, dedup text DEFAULT NULL,
    dedup_until text DEFAULT 'end', on_duplicate text DEFAULT 'reject', attributes json DEFAULT NULL,
    max_attempts integer DEFAULT 10)
RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    own_id text := coalesce(enqueue.id, perdure.fresh_id());
    made record;
    other record;
BEGIN
    PERFORM perdure.check_enqueued(enqueue.name, enqueue.arguments, enqueue.queue, own_id, enqueue.kind, enqueue.key,
                                   enqueue.dedup, enqueue.dedup_until, enqueue.on_duplicate, enqueue.attributes,
                                   enqueue.priority, enqueue.run_at, enqueue.max_attempts);
    LOOP
        INSERT INTO perdure.runs (id, kind, name, queue, state, priority, due_at, attempts, max_attempts, created_by,
                                  fingerprint, flow_key, dedup_key, dedup_until_start)
        VALUES (own_id, enqueue.kind, enqueue.name, enqueue.queue, 'ready', enqueue.priority, enqueue.run_at, 0,
                enqueue.max_attempts, 'sql ' || own_id, '?', enqueue.key, enqueue.dedup,
                CASE WHEN enqueue.dedup_until = 'start' AND enqueue.dedup IS NOT NULL THEN true END)
        ON CONFLICT DO NOTHING
        RETURNING runs.id, runs.seq INTO made;
        IF FOUND THEN
            INSERT INTO perdure.inputs (run_id, codec, body) VALUES (made.id, 'json', enqueue.arguments::text);
            INSERT INTO perdure.attributes (run_id, name, value, seq)
            SELECT made.id, given.key, given.value, made.seq FROM json_each_text(enqueue.attributes) AS given;
            RETURN made.id;
        END IF;
        SELECT runs.name, (SELECT inputs.body FROM perdure.inputs WHERE inputs.run_id = runs.id AND codec = 'json') AS body
          INTO other FROM perdure.runs WHERE runs.id = own_id;
        IF FOUND AND other.name = enqueue.name AND other.body::jsonb = enqueue.arguments::jsonb THEN
            RETURN own_id;
        ELSIF FOUND THEN
            RAISE EXCEPTION 'run % exists, and is of % or has other arguments: choose another id', own_id, other.name
                USING ERRCODE = 'unique_violation';
        END IF;
        SELECT runs.id, runs.name INTO other FROM perdure.runs
         WHERE runs.queue = enqueue.queue AND runs.dedup_key = enqueue.dedup AND runs.finished_at IS NULL
           AND (runs.dedup_until_start IS NOT TRUE OR runs.started_at IS NULL);
        IF FOUND AND other.name = enqueue.name AND enqueue.on_duplicate = 'return_existing' THEN
            RETURN other.id;
        ELSIF FOUND THEN
            RAISE EXCEPTION 'run % of % has the key % of queue %', other.id, other.name, enqueue.dedup, enqueue.queue
                USING ERRCODE = 'unique_violation';
        END IF;
    END LOOP;
END $$;

-- What `enqueue` was given, or an error that says what is wrong with it.
CREATE FUNCTION perdure.check_enqueued(name text, arguments json, queue text, id text, kind text, key text, dedup text,
                                       dedup_until text, on_duplicate text, attributes json, priority integer,
                                       run_at timestamptz, max_attempts integer)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
    words text := '1 to 500 characters without control characters, line breaks and lone surrogates';
    unseen text := '[\u0001-\u001f\u007f-\u00a0\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890-\u0891\u08e2\u1680'
                || '\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ue000-\uf8ff\ufeff\ufff9-\ufffb'
                || '\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a'
                || '\U000e0001-\U000e007f\U000f0000-\U0010fffd]';
BEGIN
    BEGIN
        wrong := CASE
            WHEN arguments IS NULL OR json_typeof(arguments) NOT IN ('array', 'object')
                THEN 'arguments: give a JSON array, by position, or an object, by name'
            WHEN jsonb_path_exists(arguments::jsonb,
                                   'strict $.** ? (@.type() == "object").keyvalue() ? (@.key starts with "$")', '{}', true)
                THEN 'arguments: names that begin with $ are not for other programs'
            WHEN kind IS NULL OR kind NOT IN ('workflow', 'step') THEN 'kind: give workflow or step'
            WHEN dedup_until IS NULL OR dedup_until NOT IN ('end', 'start') THEN 'dedup_until: give end or start'
            WHEN on_duplicate IS NULL OR on_duplicate NOT IN ('reject', 'return_existing')
                THEN 'on_duplicate: give reject or return_existing'
            WHEN key IS NOT NULL AND queue = '' THEN 'key: it is whose turn it is in a queue; give one'
            WHEN json_typeof(attributes) <> 'object' THEN 'attributes: give a JSON object'
            WHEN priority IS NULL THEN 'priority: give a whole number'
            WHEN run_at NOT BETWEEN '0001-01-01 00:00:00Z' AND '9999-12-31 23:59:59Z'
                THEN 'run_at: give a time of the years 1 to 9999'
            WHEN id ~ ':undo(:\d+)?$'
                THEN 'id: an id that ends so is that of the run which undoes what another one has done'
            WHEN max_attempts IS NULL OR max_attempts < 1 THEN 'max_attempts: give a whole number from 1 on'
        END;
        SELECT coalesce(wrong, min(what || ': give a text of ' || words)) INTO wrong
          FROM (VALUES ('name', coalesce(name, '')), ('id', id), ('key', key), ('dedup', dedup),
                       ('queue', coalesce(nullif(queue, ''), 'none'))) AS given (what, text)
         WHERE text = '' OR length(text) > 500 OR text ~ unseen;
        IF wrong IS NULL AND attributes IS NOT NULL THEN
            SELECT CASE WHEN count(*) > count(DISTINCT given.key) THEN 'attributes: give each name once'
                        ELSE 'attributes: give at most 32 names with numbers, true, false, or texts of ' || words END
              INTO wrong
              FROM json_each(attributes) AS given
            HAVING count(*) > 32 OR count(*) > count(DISTINCT given.key)
                OR bool_or(given.key = '' OR length(given.key) > 500 OR length(given.value #>> '{}') > 500
                           OR (given.value #>> '{}') = '' OR given.key ~ unseen OR (given.value #>> '{}') ~ unseen
                           OR json_typeof(given.value) NOT IN ('string', 'number', 'boolean'));
        END IF;
    EXCEPTION WHEN untranslatable_character OR invalid_text_representation THEN
        wrong := 'arguments and attributes: Postgres reads no \u0000, and no half of a surrogate pair, in a text';
    END;
    IF wrong IS NOT NULL OR queue IS NULL THEN
        RAISE EXCEPTION 'perdure.enqueue: %', coalesce(wrong, 'queue: give a text; an empty one is outside any queue')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;

-- A UUID that begins with the time (version 7).
CREATE FUNCTION perdure.fresh_id() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
               PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3) FROM 1 FOR 6),
               52, 1), 53, 1), 'hex')::uuid::text
$$;
