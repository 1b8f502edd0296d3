-- Rule 2: of runs that this worker holds under these claims. Of several in a batch the last; one that is over takes the row
-- away, and comes after all that were saved.
CREATE FUNCTION perdure.write_saved(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    known integer;
    over record;
BEGIN
    SELECT count(*) INTO known
      FROM json_to_recordset(entries) AS entry (run_id text, claim uuid)
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0);
    IF known <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that saves is not held' USING ERRCODE = 'PD001';
    END IF;
    INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body, attempts)
    SELECT DISTINCT ON (entry ->> 'run_id', entry ->> 'key')
           entry ->> 'run_id', entry ->> 'key', (entry ->> 'claim')::uuid, entry ->> 'entry_id', 'saved', entry ->> 'name',
           entry ->> 'fingerprint', false, entry -> 'outcome' ->> 'codec', entry -> 'outcome' ->> 'text',
           (entry ->> 'attempts')::integer
      FROM json_array_elements(entries) WITH ORDINALITY AS given (entry, nth)
     WHERE NOT coalesce((entry ->> 'is_over')::boolean, false)
     ORDER BY entry ->> 'run_id', entry ->> 'key', nth DESC
    ON CONFLICT (run_id, key) DO UPDATE
       SET claim = excluded.claim, entry_id = excluded.entry_id, codec = excluded.codec, body = excluded.body,
           attempts = excluded.attempts, recorded_at = perdure.now();
    FOR over IN SELECT * FROM json_to_recordset(entries) AS entry (run_id text, key text, is_over boolean)
                 WHERE is_over
    LOOP
        DELETE FROM perdure.checkpoints WHERE run_id = over.run_id AND key = over.key;
    END LOOP;
END $$;
