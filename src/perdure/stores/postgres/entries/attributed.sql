-- By what people find the runs that the batch has made, of those that were given anything.
CREATE FUNCTION perdure.write_attributed(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    INSERT INTO perdure.attributes (run_id, name, value, seq)
    SELECT run.id, given.key, given.value, run.seq
      FROM json_to_recordset(entries) AS entry (run_id text, attributes json)
     CROSS JOIN LATERAL json_each_text(entry.attributes) AS given
     CROSS JOIN LATERAL (SELECT id, seq FROM perdure.runs WHERE id = entry.run_id OFFSET 0) AS run;
END $$;
