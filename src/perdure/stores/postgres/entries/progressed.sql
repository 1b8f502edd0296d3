-- Rule 2, and rule 15: a table of its own. Of several in a batch the last.
CREATE FUNCTION perdure.write_progressed(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    known integer;
BEGIN
    SELECT count(*) INTO known
      FROM json_to_recordset(entries) AS entry (run_id text, claim uuid)
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0);
    IF known <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that makes progress is not held' USING ERRCODE = 'PD001';
    END IF;
    INSERT INTO perdure.progress (run_id, key, name, attempt, done, total, note)
    SELECT DISTINCT ON (entry ->> 'run_id', entry ->> 'key')
           entry ->> 'run_id', entry ->> 'key', entry ->> 'name', (entry ->> 'attempt')::integer,
           (entry ->> 'done')::double precision, (entry ->> 'total')::double precision, entry ->> 'note'
      FROM json_array_elements(entries) WITH ORDINALITY AS given (entry, nth)
     ORDER BY entry ->> 'run_id', entry ->> 'key', nth DESC
    ON CONFLICT (run_id, key) DO UPDATE
       SET name = excluded.name, attempt = excluded.attempt, done = excluded.done, total = excluded.total,
           note = excluded.note, at = excluded.at;
END $$;
