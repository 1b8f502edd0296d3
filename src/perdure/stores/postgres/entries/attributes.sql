-- Rule 2: of runs that this worker holds under these claims. The checkpoint, so that nobody sets them twice; then the
-- attributes, of a name the last of the batch. Never touches the run's row (rule 15).
CREATE FUNCTION perdure.write_attributes(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    made integer;
BEGIN
    INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body,
                                     attempts, arguments)
    SELECT run_id, key, claim, entry_id, 'attributes', 'set_attributes', fingerprint, false, outcome ->> 'codec',
           outcome ->> 'text', 1, arguments
      FROM json_to_recordset(entries) AS entry (
               run_id text, claim uuid, entry_id text, key text, fingerprint text, outcome json, arguments text)
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0)
    ON CONFLICT (run_id, key) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that records is not held, or the key is taken' USING ERRCODE = 'PD001';
    END IF;
    WITH given AS MATERIALIZED (
        SELECT DISTINCT ON (entry.run_id, one.key) entry.run_id, one.key AS name, one.value
          FROM (SELECT ordinality AS place, element ->> 'run_id' AS run_id, element -> 'attributes' AS attributes
                  FROM json_array_elements(entries) WITH ORDINALITY AS listed (element, ordinality)) AS entry
         CROSS JOIN LATERAL json_each_text(entry.attributes) AS one
         ORDER BY entry.run_id, one.key, entry.place DESC
    ), gone AS (
        DELETE FROM perdure.attributes USING given
         WHERE attributes.run_id = given.run_id AND attributes.name = given.name AND given.value IS NULL
    )
    INSERT INTO perdure.attributes (run_id, name, value, seq)
    SELECT run.id, given.name, given.value, run.seq
      FROM given CROSS JOIN LATERAL (SELECT id, seq FROM perdure.runs WHERE id = given.run_id OFFSET 0) AS run
     WHERE given.value IS NOT NULL
    ON CONFLICT (run_id, name) DO UPDATE SET value = excluded.value;
END $$;
