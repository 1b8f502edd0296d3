-- Checkpoints like all others; parked runs that wait for an event of the same run are told. Nothing may lock that run's
-- row for it (rule 15), so what keeps a park beside it from being missed is a lock of its own, shared by all who set: who
-- looks into the mailbox takes it alone, or keeps the row that told him (rule 13). The waiters are asked for after it.
CREATE FUNCTION perdure.write_event_set(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(perdure.event_lock(said.run_id))
       FROM (SELECT DISTINCT entry.run_id FROM json_to_recordset(entries) AS entry (run_id text) ORDER BY 1) AS said;
    PERFORM perdure.write_recorded(me, entries);
    INSERT INTO perdure.wakes (run_id)
    SELECT DISTINCT waits.waiter
      FROM json_to_recordset(entries) AS entry (run_id text)
     CROSS JOIN LATERAL (SELECT waiter FROM perdure.waits WHERE awaited = entry.run_id OFFSET 0) AS waits;
END $$;
