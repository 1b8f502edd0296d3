-- The first answer to an open hook is the only one: a message like all others. The hooks' rows are locked first, in one
-- order: who times one of them out waits for that, and sees the answer.
CREATE FUNCTION perdure.write_resolved(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    answer record;
BEGIN
    PERFORM 1 FROM perdure.hooks
      WHERE token = ANY (ARRAY(SELECT entry.token FROM json_to_recordset(entries) AS entry (token text)))
      ORDER BY token COLLATE "C" FOR NO KEY UPDATE;
    FOR answer IN SELECT * FROM json_to_recordset(entries) AS entry (token text, run_id text, key text, message_id uuid)
    LOOP
        UPDATE perdure.hooks SET resolved_at = perdure.now(), resolved_by = answer.message_id
         WHERE token = answer.token AND run_id IS NOT DISTINCT FROM answer.run_id AND key = answer.key
           AND coalesce(resolved_at, closed_at) IS NULL;  -- not as `hooks_open` says it: all that are open
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a hook is not open' USING ERRCODE = 'PD001';
        END IF;
    END LOOP;
    PERFORM perdure.write_sent(me, entries);
END $$;
