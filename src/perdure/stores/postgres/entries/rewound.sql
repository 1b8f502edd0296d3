-- Rule 2. What earlier attempts of these steps have written is void, and a row at the end of each stream says so. After the
-- chunks of the batch: what the new attempt has written is later than that of all others. Again it finds nothing to do.
CREATE FUNCTION perdure.write_rewound(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    held integer;
BEGIN
    SELECT count(*) INTO held
      FROM json_to_recordset(entries) AS entry (run_id text, claim uuid)
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0);
    IF held <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that begins a step anew is not held' USING ERRCODE = 'PD001';
    END IF;
    WITH entry AS MATERIALIZED (
        SELECT DISTINCT ON (run_id, source) *
          FROM json_to_recordset(entries) AS entry (run_id text, claim uuid, entry_id text, source text, attempt integer)
         ORDER BY run_id, source, attempt DESC
    ), void AS (
        UPDATE perdure.streams AS row SET kind = 'void', codec = NULL, body = NULL
          FROM entry
         WHERE row.run_id = entry.run_id AND row.source = entry.source AND row.kind IN ('chunks', 'closed')
           AND (row.claim <> entry.claim OR row.attempt < entry.attempt)
        RETURNING row.run_id, row.name, row.first, entry.source, entry.attempt, entry.claim, entry.entry_id
    )
    INSERT INTO perdure.streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, since, behind)
    SELECT void.run_id, void.name,
           (SELECT tail.first + tail.count FROM perdure.streams AS tail
             WHERE tail.run_id = void.run_id AND tail.name = void.name ORDER BY tail.first DESC LIMIT 1)
           + row_number() OVER (PARTITION BY void.run_id, void.name ORDER BY void.source) - 1,
           1, 'rewound', void.source, void.attempt, void.claim, void.entry_id, min(void.first),
           (SELECT last_value FROM perdure.checkpoints_seq_seq)
      FROM void
     GROUP BY void.run_id, void.name, void.source, void.attempt, void.claim, void.entry_id;
END $$;
