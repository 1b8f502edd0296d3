-- Joins the claim, so that nobody who has lost the run can add to it (rule 2). Never touches the run's row: a
-- transactional step holds a share lock on it (rule 9).
CREATE FUNCTION perdure.write_recorded(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    made integer;
BEGIN
    INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec,
                                     body, attempts, started_at, arguments)
    SELECT run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, outcome ->> 'codec',
           outcome ->> 'text', attempts, to_timestamp(started_at), arguments
      FROM json_to_recordset(entries) AS entry (
               run_id text, claim uuid, entry_id text, key text, kind text, name text, fingerprint text,
               is_error boolean, outcome json, position integer, attempts integer, started_at double precision,
               arguments text)
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0)
    ON CONFLICT (run_id, key) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that records is not held, or the key is taken' USING ERRCODE = 'PD001';
    END IF;
END $$;
