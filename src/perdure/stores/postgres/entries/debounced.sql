-- One after the other, as several of a batch may have one key: a run that has not begun, of the same function, gets the
-- input of the last and waits longer, up to its limit from the first on. It is nobody's child, whoever asks for it. In the
-- order of the keys, so that two batches wait for each other in one direction only.
CREATE FUNCTION perdure.write_debounced(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    moment timestamptz := perdure.now();
    asked record;
    which text;
BEGIN
    FOR asked IN
        SELECT entry.*, least(moment + make_interval(secs => debounce_seconds),
                              moment + make_interval(secs => longest_seconds)) AS due
          FROM json_to_recordset(entries) AS entry (
                   run_id text, kind text, name text, fingerprint text, input json, entry_id text, claim uuid, queue text,
                   priority integer, max_attempts integer, deadline_at double precision,
                   timeout_seconds double precision, dedup_key text, debounce_seconds double precision,
                   longest_seconds double precision, flow_key text)
         ORDER BY queue COLLATE "C", dedup_key COLLATE "C"
    LOOP
        INSERT INTO perdure.runs (id, kind, name, queue, state, priority, due_at, created_at, attempts, max_attempts,
                                  created_by, fingerprint, deadline_at, dedup_key, dedup_until_start, flow_key)
        SELECT asked.run_id, asked.kind, asked.name, asked.queue, 'ready', asked.priority, asked.due, moment, 0,
               asked.max_attempts, asked.entry_id, asked.fingerprint,
               least(to_timestamp(asked.deadline_at), asked.due + make_interval(secs => asked.timeout_seconds)),
               asked.dedup_key, true, asked.flow_key
         WHERE asked.claim IS NULL
            OR EXISTS (SELECT 1 FROM perdure.runs AS creator
                        WHERE creator.worker = me AND creator.claim = asked.claim AND creator.state = 'held' OFFSET 0)
        ON CONFLICT (queue, dedup_key)
           WHERE dedup_key IS NOT NULL AND finished_at IS NULL AND (dedup_until_start IS NOT TRUE OR started_at IS NULL)
        DO UPDATE SET due_at = least(moment + make_interval(secs => asked.debounce_seconds),
                                     runs.created_at + make_interval(secs => asked.longest_seconds)),
                      created_by = excluded.created_by, fingerprint = excluded.fingerprint,
                      deadline_at = excluded.deadline_at
            WHERE runs.dedup_until_start AND runs.started_at IS NULL AND runs.name = excluded.name
        RETURNING id INTO which;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'the key is another run''s, or the claim has ended' USING ERRCODE = 'PD001';
        END IF;
        INSERT INTO perdure.inputs (run_id, codec, body)
        VALUES (which, asked.input ->> 'codec', asked.input ->> 'text')
        ON CONFLICT (run_id) DO UPDATE SET codec = excluded.codec, body = excluded.body;
    END LOOP;
END $$;
