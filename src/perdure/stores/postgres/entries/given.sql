-- Rule 14: runs that wait give their slots back, while they are held; only under their claims. Their queues' rows are not
-- locked: to give locks nothing that a claim counts under its lock.
CREATE FUNCTION perdure.write_given(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    given integer;
BEGIN
    PERFORM perdure.lock_held(me, entries);
    UPDATE perdure.runs AS run SET has_slot = NULL
      FROM (SELECT DISTINCT run_id, claim FROM json_to_recordset(entries) AS entry (run_id text, claim uuid)) AS giver
     WHERE run.id = giver.run_id AND run.claim = giver.claim AND run.worker = me AND run.state = 'held';
    GET DIAGNOSTICS given = ROW_COUNT;
    IF given <> (SELECT count(DISTINCT claim) FROM json_to_recordset(entries) AS entry (claim uuid)) THEN
        RAISE EXCEPTION 'a run that gives its slot back is not held' USING ERRCODE = 'PD001';
    END IF;
END $$;
