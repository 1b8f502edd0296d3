-- Runs from outside whose whole life, from creation to end, falls into one batch: a single row each, which nobody has
-- seen before, so no cancel can be meant for it.
CREATE FUNCTION perdure.write_lived(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    moment timestamptz := perdure.now();
    made integer;
BEGIN
    WITH entry AS MATERIALIZED (
        SELECT entry.*, nextval('perdure.runs_seq_seq') AS seq
          FROM json_to_recordset(entries) AS entry (
                   run_id text, kind text, name text, fingerprint text, input json, entry_id text, held_as uuid,
                   queue text, priority integer, max_attempts integer, state text, output json, reason text)
    ), run AS (
        INSERT INTO perdure.runs (seq, id, kind, name, queue, state, priority, created_at, started_at, finished_at,
                                  attempts, max_attempts, created_by, finished_by, last_claim, last_state, fingerprint,
                                  reason)
        OVERRIDING SYSTEM VALUE
        SELECT seq, run_id, kind, name, queue, state, priority, moment, moment, moment, 1, max_attempts, entry_id,
               held_as, held_as, state, fingerprint, reason
          FROM entry
         ORDER BY run_id COLLATE "C"
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    ), input AS (
        INSERT INTO perdure.inputs (run_id, codec, body)
        SELECT run_id, input ->> 'codec', input ->> 'text' FROM entry
        ON CONFLICT (run_id) DO NOTHING
    ), output AS (
        INSERT INTO perdure.outputs (run_id, codec, body)
        SELECT run_id, output ->> 'codec', output ->> 'text' FROM entry WHERE output ->> 'codec' IS NOT NULL
        ON CONFLICT (run_id) DO NOTHING
    )
    SELECT count(*) INTO made FROM run;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run is not new' USING ERRCODE = 'PD001';
    END IF;
END $$;
