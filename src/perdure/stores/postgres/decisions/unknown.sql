-- Nobody here can execute them: say so where people look, on the first hundred of each function. The functions are found
-- one after the other in the index, so that a million runs of one cost what a hundred do. Of runs with a key the first
-- thousand are looked at.
CREATE FUNCTION perdure.explain_unknown(queues text[], known text[], because text) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off AS $$
DECLARE
    untold text[];
BEGIN
    untold := ARRAY(
        WITH RECURSIVE waiting (queue, name) AS (
            SELECT of_queue, (SELECT runs.name FROM perdure.runs
                               WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL
                                 AND runs.queue = of_queue
                               ORDER BY runs.name LIMIT 1)
              FROM unnest(queues) AS of_queue
             UNION ALL
            SELECT waiting.queue, (SELECT runs.name FROM perdure.runs
                                    WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL
                                      AND runs.queue = waiting.queue
                                      AND runs.name > waiting.name
                                    ORDER BY runs.name LIMIT 1)
              FROM waiting WHERE waiting.name IS NOT NULL
        ), due (queue, name) AS (
            SELECT of_queue, (SELECT runs.name FROM perdure.due_runs AS runs WHERE runs.queue = of_queue
                               ORDER BY runs.name LIMIT 1)
              FROM unnest(queues) AS of_queue
             UNION ALL
            SELECT due.queue, (SELECT runs.name FROM perdure.due_runs AS runs
                                WHERE runs.queue = due.queue AND runs.name > due.name
                                ORDER BY runs.name LIMIT 1)
              FROM due WHERE due.name IS NOT NULL
        )
        SELECT run.id
          FROM waiting
         CROSS JOIN LATERAL (SELECT id, reason FROM perdure.runs
                              WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL
                                AND queue = waiting.queue
                                AND name = waiting.name
                              ORDER BY priority, seq LIMIT 100) AS run
         WHERE waiting.name <> ALL (known) AND run.reason IS NULL
         UNION ALL
        SELECT run.id
          FROM due
         CROSS JOIN LATERAL (SELECT id, reason, state FROM perdure.due_runs
                              WHERE queue = due.queue AND name = due.name
                              ORDER BY due_at LIMIT 100) AS run
         WHERE due.name <> ALL (known) AND run.reason IS NULL AND run.state = 'ready'
         UNION ALL
        SELECT run.id
          FROM unnest(queues) AS of_queue
         CROSS JOIN LATERAL (SELECT id, name, reason FROM perdure.runs
                              WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND queue = of_queue
                              ORDER BY flow_key, priority, seq LIMIT 1000) AS run
         WHERE run.name <> ALL (known) AND run.reason IS NULL);
    IF cardinality(untold) > 0 THEN
        untold := ARRAY(SELECT id FROM perdure.runs WHERE id = ANY (untold) AND state = 'ready' AND reason IS NULL
                         ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
        UPDATE perdure.runs SET reason = because WHERE id = ANY (untold);
    END IF;
END $$;
