-- Whether something of what a parked run waits for has come. A kind of wait is one line in here. One that a later
-- release has made wakes the run: whoever knows its function parks it again.
CREATE FUNCTION perdure.is_over(run text, waits json) RETURNS boolean LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    RETURN EXISTS (
        SELECT 1 FROM json_to_recordset(waits) AS wait (kind text, what text, seen integer, run_id text)
         WHERE CASE wait.kind
                   WHEN 'children' THEN EXISTS (SELECT 1 FROM perdure.runs AS child
                                                 WHERE child.parent_id = run AND child.finished_at IS NOT NULL
                                                OFFSET wait.seen)
                   WHEN 'run' THEN EXISTS (SELECT 1 FROM perdure.runs AS other
                                            WHERE other.id = wait.what AND other.finished_at IS NOT NULL OFFSET 0)
                   WHEN 'message' THEN EXISTS (SELECT 1 FROM perdure.messages AS message
                                                WHERE message.run_id = run AND message.topic = wait.what
                                                  AND message.kind = 'message' AND message.consumed_at IS NULL OFFSET 0)
                   WHEN 'event' THEN EXISTS (SELECT 1 FROM perdure.checkpoints AS event
                                              WHERE event.run_id = wait.run_id AND event.name = wait.what
                                                AND event.kind = 'event' OFFSET 0)
                                     OR NOT EXISTS (SELECT 1 FROM perdure.runs AS other
                                                     WHERE other.id = wait.run_id AND other.finished_at IS NULL OFFSET 0)
                   ELSE true
               END);
END $$;

-- What whoever sets an event of this run locks, shared, until his commit.
CREATE FUNCTION perdure.event_lock(run text) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT hashtextextended(run, 81)
$$;

-- Rule 13: the mailbox, for anybody who looks. The rows are taken, then the runs' rows, both without waiting: what
-- somebody has locked keeps its row. Only the next statement decides, so it sees what was committed before the locks. A
-- held run's row goes on to its worker. A cancelled run that nobody holds keeps its row until it is swept. Whether there
-- was anything.
CREATE FUNCTION perdure.read_wakes() RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    told bigint[];
    ids text[];
    free text[];
    held text[];
    awaited text[];
    kept text[];
BEGIN
    SELECT array_agg(first.seq), array_agg(DISTINCT first.run_id) INTO told, ids
      FROM (SELECT seq, run_id FROM perdure.wakes WHERE worker IS NULL ORDER BY seq LIMIT 1000
               FOR UPDATE SKIP LOCKED) AS first;
    IF told IS NULL THEN
        RETURN false;
    END IF;
    free := ARRAY(SELECT id FROM perdure.runs WHERE id = ANY (ids) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
    -- A run that is awaited and just now ends may have looked for waiters before this one's park was committed; or one
    -- that just now sets an event.
    awaited := ARRAY(SELECT DISTINCT waits.awaited FROM perdure.waits WHERE waiter = ANY (free));
    IF cardinality(awaited) > 0 THEN
        kept := ARRAY(SELECT id FROM perdure.runs WHERE id = ANY (awaited) ORDER BY id FOR SHARE SKIP LOCKED);
        kept := ARRAY(SELECT id FROM perdure.runs WHERE id = ANY (awaited) AND id <> ALL (kept));
        kept := kept || ARRAY(SELECT DISTINCT wait.run_id
                                FROM perdure.runs AS run
                               CROSS JOIN LATERAL json_to_recordset(run.waits_for) AS wait (kind text, run_id text)
                               WHERE run.id = ANY (free) AND wait.kind = 'event'
                                 AND NOT pg_try_advisory_xact_lock(perdure.event_lock(wait.run_id)));
        kept := ARRAY(SELECT waiter FROM perdure.waits WHERE waiter = ANY (free) AND waits.awaited = ANY (kept));
    END IF;
    PERFORM perdure.heed_pauses(free);
    UPDATE perdure.runs AS run SET state = 'ready', due_at = NULL, waits_for = NULL
     WHERE run.id = ANY (free) AND run.state = 'parked' AND run.stopped IS NULL AND run.waits_for IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM perdure.messages AS message
                        WHERE message.run_id = run.id AND message.kind = 'cancel' OFFSET 0)
       AND perdure.is_over(run.id, run.waits_for);
    DELETE FROM perdure.waits
     WHERE waiter = ANY (free)
       AND NOT EXISTS (SELECT 1 FROM perdure.runs AS run WHERE run.id = waits.waiter AND run.state = 'parked' OFFSET 0);
    held := ARRAY(SELECT id FROM perdure.runs WHERE id = ANY (free) AND state = 'held');
    UPDATE perdure.wakes  -- not joined: where few rows are expected, each would look for all of `free`
       SET worker = (SELECT run.worker FROM perdure.runs AS run WHERE run.id = wakes.run_id)
     WHERE worker IS NULL AND seq = ANY (told) AND run_id = ANY (held);
    kept := kept || ARRAY(SELECT run.id FROM perdure.runs AS run
                           WHERE run.id = ANY (free) AND run.state IN ('ready', 'parked')
                             AND EXISTS (SELECT 1 FROM perdure.messages AS message
                                          WHERE message.run_id = run.id AND message.kind = 'cancel' OFFSET 0));
    DELETE FROM perdure.wakes
     WHERE worker IS NULL AND seq = ANY (told)
       AND (run_id = ANY (free) OR NOT EXISTS (SELECT 1 FROM perdure.runs AS run WHERE run.id = wakes.run_id OFFSET 0))
       AND (kept IS NULL OR run_id <> ALL (kept));
    RETURN true;
END $$;

-- What this worker is told: it says which rows it has heard, and gets those that are there for it, with whether the run
-- has a cancel, and whether it is to be paused. What is no longer its own anybody may look at.
CREATE FUNCTION perdure.hear(me uuid, heard bigint[], OUT told json, OUT has_read boolean, OUT has_cancelled boolean)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    IF cardinality(heard) > 0 THEN
        DELETE FROM perdure.wakes WHERE worker = me AND seq = ANY (heard);
    END IF;
    UPDATE perdure.wakes SET worker = NULL
     WHERE worker = me
       AND (SELECT run.worker FROM perdure.runs AS run WHERE run.id = wakes.run_id) IS DISTINCT FROM me;
    has_read := perdure.read_wakes();
    SELECT coalesce(json_agg(json_build_array(mine.seq, mine.run_id,
               EXISTS (SELECT 1 FROM perdure.messages AS message
                        WHERE message.run_id = mine.run_id AND message.kind = 'cancel' OFFSET 0),
               EXISTS (SELECT 1 FROM perdure.messages AS message
                        WHERE message.run_id = mine.run_id AND message.kind = 'pause'
                          AND message.consumed_at IS NULL OFFSET 0)) ORDER BY mine.seq), '[]')
      INTO told
      FROM (SELECT seq, run_id FROM perdure.wakes WHERE worker = me ORDER BY seq LIMIT 1000) AS mine;
    has_cancelled := EXISTS (
        SELECT 1 FROM (SELECT run_id FROM perdure.wakes WHERE worker IS NULL ORDER BY seq LIMIT 1000) AS open
         WHERE EXISTS (SELECT 1 FROM perdure.messages AS message
                        WHERE message.run_id = open.run_id AND message.kind = 'cancel'
                          AND message.consumed_at IS NULL OFFSET 0));
END $$;

-- The end of a child is told to its parent, and a message to its receiver, unless the very worker that commits it holds
-- that: it is told in memory, and parks in a later batch. Not only to one that is seen parked: a park may be under way.
-- The row is addressed to who holds the run, as far as can be seen. His own row is locked against removal for it, or else
-- it is for anybody: a takeover that comes later finds what was told to its victim.
CREATE FUNCTION perdure.tell_runs(told text[], me uuid) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    INSERT INTO perdure.wakes (run_id, worker)
    SELECT run.id, holder.id
      FROM perdure.runs AS run
      LEFT JOIN LATERAL (SELECT worker.id FROM perdure.workers AS worker
                          WHERE worker.id = run.worker FOR KEY SHARE SKIP LOCKED) AS holder ON true
     WHERE run.id = ANY (told) AND run.finished_at IS NULL AND (me IS NULL OR run.worker IS DISTINCT FROM me);
END $$;

-- Other runs that wait for one of these. After its row was locked, in a later statement (rule 8's discipline).
CREATE FUNCTION perdure.tell_waiters(ended text[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    PERFORM 1 FROM perdure.waits WHERE awaited = ANY (ended) LIMIT 1;
    IF FOUND THEN
        INSERT INTO perdure.wakes (run_id) SELECT DISTINCT waiter FROM perdure.waits WHERE awaited = ANY (ended);
        DELETE FROM perdure.waits WHERE awaited = ANY (ended);
    END IF;
END $$;

-- Both, where runs end otherwise than by an entry of their own.
CREATE FUNCTION perdure.tell_ends(ended text[], me uuid) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    PERFORM perdure.tell_runs(ARRAY(
        SELECT DISTINCT parent_id FROM (SELECT parent_id FROM perdure.runs WHERE id = ANY (ended) OFFSET 0) AS child
         WHERE parent_id IS NOT NULL), me);
    PERFORM perdure.tell_waiters(ended);
END $$;
