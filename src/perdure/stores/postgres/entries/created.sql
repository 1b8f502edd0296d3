-- An id is taken once, and a key of a queue by one run at a time. A run made inside another joins the claim that makes it,
-- which may be one that this very section takes; one from outside needs only the fence. `seq` follows the batch, but the
-- rows go in by key and id: two batches that make the same runs wait for each other in one direction only. A child's
-- creation is its parent's checkpoint, too.
CREATE FUNCTION perdure.write_created(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    moment timestamptz := perdure.now();
    made integer;
BEGIN
    WITH entry AS MATERIALIZED (
        SELECT entry.*, nextval('perdure.runs_seq_seq') AS seq
          FROM json_to_recordset(entries) AS entry (
                   run_id text, kind text, name text, fingerprint text, input json, entry_id text, claim uuid,
                   parent_id text, parent_key text, held_as uuid, queue text, priority integer,
                   due_at double precision, max_attempts integer, delay_seconds double precision,
                   deadline_at double precision, timeout_seconds double precision, is_detached boolean, dedup_key text,
                   dedup_until_start boolean, flow_key text)
    ), run AS (
        INSERT INTO perdure.runs (seq, id, kind, name, queue, state, priority, due_at, created_at, started_at, worker,
                                  claim, attempts, max_attempts, created_by, parent_id, parent_key, fingerprint, deadline_at,
                                  is_detached, dedup_key, dedup_until_start, flow_key)
        OVERRIDING SYSTEM VALUE
        SELECT seq, run_id, kind, name, queue, CASE WHEN held_as IS NULL THEN 'ready' ELSE 'held' END, priority,
               CASE WHEN held_as IS NULL THEN coalesce(to_timestamp(due_at), moment + make_interval(secs => delay_seconds)) END, moment,
               CASE WHEN held_as IS NOT NULL THEN moment END, CASE WHEN held_as IS NOT NULL THEN me END, held_as,
               (held_as IS NOT NULL)::integer, max_attempts, entry_id, parent_id, parent_key, fingerprint,
               least(to_timestamp(deadline_at),
                     coalesce(to_timestamp(due_at), moment + make_interval(secs => coalesce(delay_seconds, 0)))
                     + make_interval(secs => timeout_seconds)),
               coalesce(is_detached, false), dedup_key, dedup_until_start, flow_key
          FROM entry
         WHERE claim IS NULL
            OR EXISTS (SELECT 1 FROM perdure.runs AS creator
                        WHERE creator.worker = me AND creator.claim = entry.claim AND creator.state = 'held' OFFSET 0)
            OR claim IN (SELECT sibling.held_as FROM entry AS sibling)
         ORDER BY dedup_key COLLATE "C" NULLS FIRST, CASE WHEN dedup_key IS NOT NULL THEN queue END COLLATE "C",
                  run_id COLLATE "C"
        ON CONFLICT DO NOTHING
        RETURNING id, created_by
    ), input AS (
        INSERT INTO perdure.inputs (run_id, codec, body)
        SELECT entry.run_id, entry.input ->> 'codec', entry.input ->> 'text'
          FROM entry JOIN run ON run.id = entry.run_id AND run.created_by = entry.entry_id
    )
    SELECT count(*) INTO made FROM run;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run is not new, or the claim that makes it has ended' USING ERRCODE = 'PD001';
    END IF;
    IF me IS NOT NULL THEN  -- nobody outside makes a run within another: the statement alone would cost him a tenth
        INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body,
                                         attempts)
        SELECT parent_id, parent_key, claim, entry_id, 'child', name, fingerprint, false, 'json',
               to_json(run_id)::text, 1
          FROM ROWS FROM (json_to_recordset(entries) AS (run_id text, name text, fingerprint text, entry_id text,
                                                         claim uuid, parent_id text, parent_key text))
               WITH ORDINALITY AS entry (run_id, name, fingerprint, entry_id, claim, parent_id, parent_key, nth)
         WHERE parent_id IS NOT NULL AND claim IS NOT NULL
         ORDER BY nth
        ON CONFLICT (run_id, key) DO NOTHING;
    END IF;
END $$;
