-- The rows of runs whose claims end, locked in the order of their ids: whoever locks several does so in this order.
CREATE FUNCTION perdure.lock_held(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM 1
       FROM (SELECT run_id, claim FROM json_to_recordset(entries) AS entry (run_id text, claim uuid)
              ORDER BY run_id COLLATE "C") AS entry
      CROSS JOIN LATERAL (SELECT 1 FROM perdure.runs AS run
                           WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me
                             FOR NO KEY UPDATE) AS locked;
END $$;
