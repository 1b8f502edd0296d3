-- Checkpoints like all others, and the hooks that they close; not where an answer was first. The hooks' rows are locked
-- before the statement that looks: an answer that is being committed is waited for, and seen.
CREATE FUNCTION perdure.write_timed_out(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    over record;
BEGIN
    PERFORM perdure.write_recorded(me, entries);
    PERFORM 1 FROM perdure.hooks
      WHERE token = ANY (ARRAY(SELECT entry.token FROM json_to_recordset(entries) AS entry (token text)))
      ORDER BY token COLLATE "C" FOR NO KEY UPDATE;
    FOR over IN SELECT * FROM json_to_recordset(entries) AS entry (token text, run_id text, hook_key text) LOOP
        PERFORM 1 FROM perdure.hooks
          WHERE token = over.token AND run_id IS NOT DISTINCT FROM over.run_id AND key = over.hook_key
            AND resolved_at IS NOT NULL;
        IF FOUND THEN
            RAISE EXCEPTION 'a hook is resolved' USING ERRCODE = 'PD001';
        END IF;
        UPDATE perdure.hooks SET closed_at = perdure.now()
         WHERE token = over.token AND run_id IS NOT DISTINCT FROM over.run_id AND key = over.hook_key;
    END LOOP;
END $$;
