-- The claim ends and gives its attempt back; the run says what it waits for.
CREATE FUNCTION perdure.write_parked(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ended integer;
BEGIN
    PERFORM perdure.lock_held(me, entries);
    UPDATE perdure.runs AS run
       SET state = 'parked', worker = NULL, claim = NULL, last_claim = run.claim, last_state = 'parked',
           attempts = greatest(run.attempts - 1, 0), due_at = to_timestamp(held.due_at),
           children_seen = held.children_seen, waits_for = nullif(held.waits_for, '{}'), needs_mend = held.needs_mend,
           reason = held.reason
      FROM (SELECT entry.*
              FROM json_to_recordset(entries) AS entry (
                       run_id text, claim uuid, due_at double precision, children_seen integer, waits_for text[],
                       needs_mend boolean, reason text)
             CROSS JOIN LATERAL (SELECT 1 FROM perdure.runs
                                  WHERE id = entry.run_id AND claim = entry.claim AND worker = me AND state = 'held'
                                 OFFSET 0) AS run) AS held
     WHERE run.id = held.run_id;
    GET DIAGNOSTICS ended = ROW_COUNT;
    IF ended <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that parks is not held' USING ERRCODE = 'PD001';
    END IF;
END $$;
