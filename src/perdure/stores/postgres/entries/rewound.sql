-- Rule 2. What earlier attempts of these steps have written is void, and a row at the end of each stream says so. After the
-- chunks of the batch: what the new attempt has written is later than that of all others. Again it finds nothing to do.
CREATE FUNCTION perdure.write_rewound(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    held integer;
    anew record;
BEGIN
    SELECT count(*) INTO held
      FROM json_to_recordset(entries) AS entry (run_id text, claim uuid)
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0);
    IF held <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that begins a step anew is not held' USING ERRCODE = 'PD001';
    END IF;
    FOR anew IN SELECT DISTINCT ON (run_id, source) *
                  FROM json_to_recordset(entries) AS entry (run_id text, claim uuid, entry_id text, source text, attempt integer)
                 ORDER BY run_id, source, attempt DESC
    LOOP
        WITH void AS (
            UPDATE perdure.streams SET kind = 'void', codec = NULL, body = NULL
             WHERE run_id = anew.run_id AND source = anew.source AND kind IN ('chunks', 'closed')
               AND (claim <> anew.claim OR attempt < anew.attempt)
            RETURNING name, first
        )
        INSERT INTO perdure.streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, since, behind)
        SELECT anew.run_id, void.name,
               (SELECT tail.first + tail.count FROM perdure.streams AS tail
                 WHERE tail.run_id = anew.run_id AND tail.name = void.name ORDER BY tail.first DESC LIMIT 1),
               1, 'rewound', anew.source, anew.attempt, anew.claim, anew.entry_id, min(void.first),
               (SELECT last_value FROM perdure.checkpoints_seq_seq)
          FROM void
         GROUP BY void.name;
    END LOOP;
END $$;
