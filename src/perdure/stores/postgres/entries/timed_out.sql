-- Checkpoints like all others, and the hooks that they close; not where an answer was first. The hooks' rows are locked
-- before the statement that looks: an answer that is being committed is waited for, and seen.
CREATE FUNCTION perdure.write_timed_out(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM perdure.write_recorded(me, entries);
    PERFORM 1 FROM perdure.hooks
      WHERE token IN (SELECT entry.token FROM json_to_recordset(entries) AS entry (token text))
      ORDER BY token COLLATE "C" FOR NO KEY UPDATE;
    PERFORM 1
       FROM json_to_recordset(entries) AS entry (token text, run_id text, hook_key text)
       JOIN perdure.hooks ON hooks.token = entry.token AND hooks.run_id = entry.run_id AND hooks.key = entry.hook_key
      WHERE hooks.resolved_at IS NOT NULL;
    IF FOUND THEN
        RAISE EXCEPTION 'a hook is resolved' USING ERRCODE = 'PD001';
    END IF;
    UPDATE perdure.hooks SET closed_at = perdure.now()
      FROM json_to_recordset(entries) AS entry (token text, run_id text, hook_key text)
     WHERE hooks.token = entry.token AND hooks.run_id = entry.run_id AND hooks.key = entry.hook_key;
END $$;
