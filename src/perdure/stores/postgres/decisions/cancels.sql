-- A cancelled run takes its unfinished children with it (rule 8 for each of them), but for the detached ones.
CREATE FUNCTION perdure.pass_cancel_on(ended text[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    WITH child AS MATERIALIZED (
        SELECT id, worker FROM perdure.runs
         WHERE parent_id = ANY (ended) AND finished_at IS NULL AND NOT is_detached ORDER BY id FOR SHARE
    ), told AS (
        INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM child
    )
    INSERT INTO perdure.messages (run_id, kind) SELECT id, 'cancel' FROM child
    ON CONFLICT (run_id) WHERE kind = 'cancel' DO NOTHING;
END $$;

-- The runs have ended by their cancel: mark it, and pass it on. One whose deadline has passed has ended by that, whoever
-- else asked for its end; one that was cancelled to make room has the reason that the audit has.
CREATE FUNCTION perdure.consume_cancels(ended text[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    UPDATE perdure.messages SET consumed_at = perdure.now() WHERE kind = 'cancel' AND run_id = ANY (ended);
    UPDATE perdure.runs AS run SET reason = ended_by.why
      FROM (SELECT id, CASE WHEN deadline_at <= finished_at THEN 'its deadline has passed'
                            ELSE (SELECT detail FROM perdure.audit
                                   WHERE audit.run_id = over.id AND action = 'cancel' AND at >= over.started_at
                                     AND detail LIKE 'overflow: %' ORDER BY seq DESC LIMIT 1) END AS why
              FROM perdure.runs AS over WHERE id = ANY (ended) AND (reason IS NULL OR deadline_at <= finished_at)) AS ended_by
     WHERE run.id = ended_by.id AND ended_by.why IS NOT NULL;
    PERFORM perdure.pass_cancel_on(ended);
END $$;

-- Rule 8: the runs that this worker holds and somebody has cancelled, for the answer to its batch; NULL if none is.
CREATE FUNCTION perdure.cancels_for(me uuid) RETURNS json LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN (SELECT json_agg(DISTINCT told.run_id)
              FROM perdure.wakes AS told
             WHERE told.worker = me
               AND (SELECT run.worker FROM perdure.runs AS run WHERE run.id = told.run_id) = me
               AND EXISTS (SELECT 1 FROM perdure.messages AS message
                            WHERE message.run_id = told.run_id AND message.kind = 'cancel' OFFSET 0));
END $$;

-- Most of the time there is nothing to sweep, and looking locks nothing.
CREATE FUNCTION perdure.has_open_cancels() RETURNS boolean LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN EXISTS (SELECT 1 FROM perdure.messages
                    WHERE consumed_at IS NULL AND kind = 'cancel'
                      AND (SELECT state FROM perdure.runs WHERE runs.id = messages.run_id) IN ('ready', 'parked'));
END $$;

-- Rule 8: whoever sees a cancel on a run that nobody holds ends the run, without its code, and so on down the tree. Only the
-- statement after the locks decides: when they are had, the cancel may be gone, with the life that it was to end.
CREATE FUNCTION perdure.sweep_cancelled() RETURNS text[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    free text[];
    swept text[];
    all_swept text[] := '{}';
BEGIN
    LOOP
        free := ARRAY(SELECT runs.id FROM perdure.runs
                       WHERE id = ANY (ARRAY(SELECT run_id FROM perdure.messages
                                              WHERE consumed_at IS NULL AND kind = 'cancel'))
                         AND runs.state IN ('ready', 'parked')
                       ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
        swept := ARRAY(SELECT id FROM perdure.runs
                        WHERE id = ANY (free)
                          AND EXISTS (SELECT 1 FROM perdure.messages
                                       WHERE messages.run_id = runs.id AND messages.kind = 'cancel'
                                         AND messages.consumed_at IS NULL OFFSET 0)
                        ORDER BY id);
        EXIT WHEN cardinality(swept) = 0;
        UPDATE perdure.runs
           SET state = 'cancelled', finished_at = perdure.now(), due_at = NULL, waits_for = NULL,
               stopped = NULL
         WHERE id = ANY (swept);
        PERFORM perdure.consume_cancels(swept);
        PERFORM perdure.tell_ends(swept, NULL);
        all_swept := all_swept || swept;
    END LOOP;
    RETURN all_swept;
END $$;

-- Rule 8: runs whose deadline has passed get their cancel, the earliest first; bounded, the next round takes the rest.
-- Then they end as every cancelled run does. Who ends just now is passed by. Those that got one.
CREATE FUNCTION perdure.expire() RETURNS text[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    over text[];
BEGIN
    over := ARRAY(SELECT id FROM perdure.overdue_runs ORDER BY deadline_at LIMIT 1000);
    IF cardinality(over) = 0 THEN
        RETURN over;
    END IF;
    WITH late AS MATERIALIZED (
        SELECT id, worker FROM perdure.runs
         WHERE id = ANY (over) AND finished_at IS NULL AND deadline_at <= perdure.now()  -- it may have a new life
         ORDER BY id FOR SHARE SKIP LOCKED
    ), cancel AS (
        INSERT INTO perdure.messages (run_id, kind) SELECT id, 'cancel' FROM late
        ON CONFLICT (run_id) WHERE kind = 'cancel' DO NOTHING
        RETURNING run_id
    ), told AS (
        INSERT INTO perdure.wakes (run_id, worker)
        SELECT late.id, late.worker FROM late WHERE late.id = ANY (ARRAY(SELECT run_id FROM cancel))
    )
    SELECT coalesce(array_agg(run_id), '{}') INTO over FROM cancel;
    RETURN over;
END $$;
