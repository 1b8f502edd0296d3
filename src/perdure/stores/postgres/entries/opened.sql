-- Checkpoints like all others, and the hooks that they open. A token is free again when its hook is over: closed, its
-- answer received, or its run ended; and to the very call that has opened it, of a run that is started anew. To that, and
-- to one that goes on as a new one, the answer to its former life is nothing.
CREATE FUNCTION perdure.write_opened(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    made integer;
BEGIN
    PERFORM perdure.write_recorded(me, entries);
    IF (SELECT count(DISTINCT token) FROM json_to_recordset(entries) AS entry (token text)) < json_array_length(entries) THEN
        RAISE EXCEPTION 'two hooks of a batch have one token' USING ERRCODE = 'PD001';
    END IF;
    DELETE FROM perdure.messages
     WHERE consumed_at IS NULL AND id = ANY (ARRAY(
               SELECT former.id
                 FROM json_to_recordset(entries) AS entry (run_id text, topic text)
                CROSS JOIN LATERAL (SELECT id FROM perdure.messages
                                     WHERE run_id = entry.run_id AND topic = entry.topic AND kind = 'message'
                                       AND consumed_at IS NULL OFFSET 0) AS former));
    INSERT INTO perdure.hooks (token, run_id, key, topic, shape, schema, question, due_at)
    SELECT token, run_id, key, topic, shape, schema, question, to_timestamp(due_at)
      FROM json_to_recordset(entries) AS entry (
               token text, run_id text, key text, topic text, shape text, schema text, question text,
               due_at double precision)
     ORDER BY token COLLATE "C"
    ON CONFLICT (token) DO UPDATE
       SET run_id = excluded.run_id, key = excluded.key, topic = excluded.topic, shape = excluded.shape,
           schema = excluded.schema, question = excluded.question, due_at = excluded.due_at, opened_at = excluded.opened_at,
           resolved_at = NULL, resolved_by = NULL, closed_at = NULL
     WHERE hooks.closed_at IS NOT NULL
        OR (hooks.run_id = excluded.run_id AND hooks.key = excluded.key)
        OR EXISTS (SELECT 1 FROM perdure.runs WHERE runs.id = hooks.run_id AND runs.finished_at IS NOT NULL OFFSET 0)
        OR EXISTS (SELECT 1 FROM perdure.messages
                    WHERE messages.id = hooks.resolved_by AND messages.consumed_at IS NOT NULL OFFSET 0);
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'the token of a hook is taken' USING ERRCODE = 'PD001';
    END IF;
END $$;
