-- Rule 7: delayed runs and sleepers whose time has come become ready, the earliest first; bounded, the next claim takes
-- the rest. Only those of functions that the worker knows: others cost nothing, and stay where they are. Whether any did.
CREATE FUNCTION perdure.wake_due(served text[], names text[]) RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off AS $$
DECLARE
    due text[];
BEGIN
    due := ARRAY(SELECT run.id
                   FROM unnest(served) AS of_queue
                  CROSS JOIN LATERAL perdure.timed_names(of_queue, names) AS of_name
                  CROSS JOIN LATERAL (SELECT id, due_at FROM perdure.due_runs
                                       WHERE queue = of_queue AND name = of_name
                                       ORDER BY due_at LIMIT 1000) AS run
                  ORDER BY run.due_at LIMIT 1000);
    IF cardinality(due) = 0 THEN
        RETURN false;
    END IF;
    due := ARRAY(SELECT id FROM perdure.runs
                  WHERE id = ANY (due)
                    AND CASE WHEN due_at IS NULL OR due_at > perdure.now() OR stopped IS NOT NULL THEN false
                             ELSE state IN ('ready', 'parked') END
                  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
    UPDATE perdure.runs SET state = 'ready', due_at = NULL, waits_for = NULL
     WHERE id = ANY (due);
    RETURN cardinality(due) > 0;
END $$;
