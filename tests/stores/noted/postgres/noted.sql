CREATE FUNCTION perdure.write_noted(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    made integer;
BEGIN
    INSERT INTO perdure.notes (run_id, id, body)
    SELECT run_id, entry_id, body
      FROM json_to_recordset(entries) AS entry (run_id text, claim uuid, entry_id text, body text)
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a note is not new, or its run is not held' USING ERRCODE = 'PD001';
    END IF;
END $$;
