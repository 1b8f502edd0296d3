-- The first answer to an open hook is the only one: a message like all others. The hooks' rows are locked first, in one
-- order: who times one of them out waits for that, and sees the answer.
CREATE FUNCTION perdure.write_resolved(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    made integer;
BEGIN
    PERFORM 1 FROM perdure.hooks
      WHERE token IN (SELECT entry.token FROM json_to_recordset(entries) AS entry (token text))
      ORDER BY token COLLATE "C" FOR NO KEY UPDATE;
    UPDATE perdure.hooks SET resolved_at = perdure.now(), resolved_by = entry.message_id
      FROM json_to_recordset(entries) AS entry (token text, run_id text, key text, message_id uuid)
     WHERE hooks.token = entry.token AND hooks.run_id = entry.run_id AND hooks.key = entry.key
       AND hooks.resolved_at IS NULL AND hooks.closed_at IS NULL;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a hook is not open' USING ERRCODE = 'PD001';
    END IF;
    PERFORM perdure.write_sent(me, entries);
END $$;
