-- Rule 2: chunks of runs that this worker holds under these claims. Their offsets follow those that are there, in the order
-- of the batch: one claim at a time writes to a run's streams, so nobody else gives the same. Never touches the run's row.
CREATE FUNCTION perdure.write_written(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    made integer;
BEGIN
    INSERT INTO perdure.streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, behind, codec, body)
    SELECT run_id, name,
           coalesce((SELECT tail.first + tail.count FROM perdure.streams AS tail
                      WHERE tail.run_id = entry.run_id AND tail.name = entry.name
                      ORDER BY tail.first DESC LIMIT 1), 0)
           + sum(count) OVER (PARTITION BY run_id, name ORDER BY place) - count,
           count, CASE WHEN is_closed THEN 'closed' ELSE 'chunks' END, source, attempt, claim, entry_id,
           (SELECT last_value FROM perdure.checkpoints_seq_seq),
           CASE WHEN NOT is_closed THEN codec END, CASE WHEN NOT is_closed THEN texts::text END
      FROM (SELECT given.*, CASE WHEN is_closed THEN 1 ELSE json_array_length(texts) END AS count
              FROM ROWS FROM (json_to_recordset(entries) AS (
                       run_id text, claim uuid, entry_id text, name text, source text, attempt integer, codec text,
                       texts json, is_closed boolean)) WITH ORDINALITY
                   AS given (run_id, claim, entry_id, name, source, attempt, codec, texts, is_closed, place)) AS entry
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0)
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that writes to a stream is not held, or has written this' USING ERRCODE = 'PD001';
    END IF;
END $$;
