-- The claim ends and gives its attempt back; the run says what it waits for, and tells itself: of this and of what it
-- waits for, the later commit brings a row that whoever sees it sees both by (rule 13). Who waits for a time alone needs no
-- row: that is looked up; but one that is paused does, for its pause may be over. No cancel can be missed, since the run's
-- row is locked, and this a later statement. What this worker's code cannot replay goes on to one with other code.
CREATE FUNCTION perdure.write_parked(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ended integer;
BEGIN
    PERFORM perdure.lock_held(me, entries);
    WITH parked AS (
        UPDATE perdure.runs AS run
           SET state = CASE WHEN held.goes_on THEN 'ready' ELSE 'parked' END, worker = NULL, claim = NULL,
               last_claim = run.claim, last_state = 'parked',
               attempts = greatest(run.attempts - 1, 0), due_at = to_timestamp(held.due_at),
               waits_for = CASE WHEN json_array_length(held.waits_for) > 0 THEN held.waits_for END,
               stopped = CASE WHEN held.goes_on THEN NULL ELSE held.stopped END, reason = held.reason,
               refused_by = CASE WHEN held.is_refused THEN held.refused_by ELSE run.refused_by END
          FROM (SELECT entry.*, run.refused_by,
                       CASE WHEN entry.is_refused
                            THEN perdure.is_for_others(run.queue, run.name, run.refused_by) END AS goes_on
                  FROM json_to_recordset(entries) AS entry (
                           run_id text, claim uuid, due_at double precision, waits_for json, stopped text,
                           reason text, is_refused boolean)
                 CROSS JOIN LATERAL (SELECT queue, name,
                                            CASE WHEN entry.is_refused
                                                 THEN array_append(refused_by, (SELECT coalesce(version, '')
                                                                                  FROM perdure.workers
                                                                                 WHERE workers.id = me))
                                            END AS refused_by
                                       FROM perdure.runs
                                      WHERE id = entry.run_id AND claim = entry.claim AND worker = me AND state = 'held'
                                     OFFSET 0) AS run) AS held
         WHERE run.id = held.run_id
        RETURNING run.id, run.waits_for, run.stopped
    ), awaited AS (
        INSERT INTO perdure.waits (waiter, awaited)
        SELECT parked.id, CASE wait.kind WHEN 'run' THEN wait.what ELSE wait.run_id END
          FROM parked CROSS JOIN LATERAL json_to_recordset(parked.waits_for) AS wait (kind text, what text, run_id text)
         WHERE wait.kind IN ('run', 'event')
        ON CONFLICT DO NOTHING
    ), told AS (
        INSERT INTO perdure.wakes (run_id) SELECT id FROM parked
         WHERE waits_for IS NOT NULL OR stopped = 'paused'
            OR EXISTS (SELECT 1 FROM perdure.messages AS message
                        WHERE message.run_id = parked.id AND message.kind = 'cancel' OFFSET 0)
    )
    SELECT count(*) INTO ended FROM parked;
    IF ended <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that parks is not held' USING ERRCODE = 'PD001';
    END IF;
END $$;
