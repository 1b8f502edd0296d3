-- Back to ready, with the attempt given back unless it stays charged; a charged one at the limit ends the run, unless
-- it has got further meanwhile or a cancel is to decide.
CREATE FUNCTION perdure.write_released(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ended integer;
    dead text[];
BEGIN
    PERFORM perdure.lock_held(me, entries);
    WITH over AS (
    UPDATE perdure.runs AS run
       SET state = held.becomes, worker = NULL, claim = NULL, last_claim = run.claim, last_state = held.becomes,
           attempts = CASE WHEN held.charged THEN run.attempts ELSE greatest(run.attempts - 1, 0) END, due_at = NULL,
           finished_by = CASE WHEN held.becomes = 'dead' THEN run.claim END,
           finished_at = CASE WHEN held.becomes = 'dead' THEN perdure.now() END,
           reason = CASE WHEN held.becomes = 'dead'
                         THEN perdure.death(run.max_attempts) || coalesce('; the last one: ' || held.reason, '')
                         ELSE held.reason END
      FROM (SELECT entry.*, CASE
                       WHEN entry.charged AND run.attempts >= run.max_attempts
                            AND NOT EXISTS (SELECT 1 FROM perdure.messages
                                             WHERE messages.run_id = entry.run_id AND messages.kind = 'cancel' OFFSET 0)
                            AND perdure.progress_of(entry.run_id) <= run.progress_mark THEN 'dead'
                       ELSE 'ready'
                   END AS becomes
              FROM json_to_recordset(entries) AS entry (run_id text, claim uuid, charged boolean, reason text)
             CROSS JOIN LATERAL (SELECT attempts, max_attempts, progress_mark FROM perdure.runs
                                  WHERE id = entry.run_id AND claim = entry.claim AND worker = me AND state = 'held'
                                 OFFSET 0) AS run) AS held
     WHERE run.id = held.run_id
    RETURNING run.id, held.becomes
    )
    SELECT count(*), array_agg(id) FILTER (WHERE becomes = 'dead') INTO ended, dead FROM over;
    IF ended <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that is let go of is not held' USING ERRCODE = 'PD001';
    END IF;
    IF dead IS NOT NULL THEN
        PERFORM perdure.tell_ends(dead, me);
    END IF;
END $$;
