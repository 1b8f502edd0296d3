-- Rules 1, 4, 7 and 11: the oldest of the lowest priority of each queue, with the nth of the fresh claims each. The
-- attempt is charged here and nowhere else. `last_attempts`: whether runs at their last one are 'left' where they are,
-- or a single one is taken by a worker that holds nothing ('alone'), or they are taken 'beside' others. NO KEY UPDATE,
-- since UPDATE would skip a run while someone's open transaction sends to it. A single row with nth = 0 says that the
-- worker is fenced.
CREATE FUNCTION perdure.claim_runs(me uuid, expected bigint, queues text[], slots integer[], names text[],
                                   claims uuid[], last_attempts text)
RETURNS TABLE (nth integer, id text, kind text, name text, queue text, priority integer, codec text, body text,
               attempts integer, max_attempts integer, is_fresh boolean, parent_id text, parent_key text,
               is_cancelled boolean, claimed_at double precision)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    used integer := 0;
    picked text[];
    holds_some boolean := EXISTS (SELECT 1 FROM perdure.runs WHERE runs.worker = me);
BEGIN
    IF NOT perdure.fence(me, expected) THEN
        nth := 0;
        RETURN NEXT;
        RETURN;
    END IF;
    IF last_attempts = 'alone' AND holds_some THEN
        RETURN;
    END IF;
    PERFORM perdure.wake_runs(queues);
    FOR i IN 1 .. cardinality(queues) LOOP
        picked := ARRAY(
            SELECT run.id
              FROM perdure.runs AS run
             WHERE run.state = 'ready' AND run.due_at IS NULL AND run.queue = queues[i] AND run.name = ANY (names)
               AND (last_attempts = 'beside' OR (last_attempts = 'alone') = CASE
                        WHEN run.attempts = 0 OR run.attempts < run.max_attempts - 1 THEN false
                        ELSE perdure.progress_of(run.id) <= run.progress_mark END)
             ORDER BY run.priority, run.seq
             LIMIT CASE WHEN last_attempts = 'alone' THEN least(slots[i], 1) ELSE slots[i] END
               FOR NO KEY UPDATE SKIP LOCKED);
        CONTINUE WHEN cardinality(picked) = 0;
        RETURN QUERY
        WITH charge AS MATERIALIZED (
            SELECT run.place, run.is_fresh, used + picked.ordinality::integer AS nth,
                   CASE WHEN run.is_fresh THEN 0 ELSE perdure.progress_of(picked.id)::integer END AS steps
              FROM unnest(picked) WITH ORDINALITY AS picked (id, ordinality)
             CROSS JOIN LATERAL (SELECT runs.ctid AS place, runs.started_at IS NULL AS is_fresh FROM perdure.runs
                                  WHERE runs.id = picked.id OFFSET 0) AS run
        ), held AS (
            UPDATE perdure.runs AS run
               SET state = 'held', worker = me, claim = claims[charge.nth], reason = NULL,
                   started_at = coalesce(run.started_at, clock_timestamp()),
                   attempts = CASE WHEN charge.steps > run.progress_mark THEN 1 ELSE run.attempts + 1 END,
                   progress_mark = greatest(run.progress_mark, charge.steps),
                   is_beside = holds_some OR last_attempts = 'beside'
              FROM charge
             WHERE run.ctid = charge.place
            RETURNING charge.nth, run.id, run.kind, run.name, run.queue, run.priority, run.attempts,
                      run.max_attempts, charge.is_fresh, run.parent_id, run.parent_key
        )
        SELECT held.nth, held.id, held.kind, held.name, held.queue, held.priority, input.codec, input.body,
               held.attempts, held.max_attempts, held.is_fresh, held.parent_id, held.parent_key,
               EXISTS (SELECT 1 FROM perdure.messages
                        WHERE messages.run_id = held.id AND messages.kind = 'cancel' OFFSET 0),
               extract(epoch FROM clock_timestamp())::double precision
          FROM held CROSS JOIN LATERAL (SELECT inputs.codec, inputs.body FROM perdure.inputs
                                         WHERE inputs.run_id = held.id OFFSET 0) AS input
         ORDER BY held.nth;
        used := used + cardinality(picked);
        holds_some := true;
        EXIT WHEN last_attempts = 'alone';
    END LOOP;
END $$;
