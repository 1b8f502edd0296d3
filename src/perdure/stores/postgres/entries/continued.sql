-- The claim ends, and with it a life of the run: what it has recorded is gone, its arguments are others, and it is ready
-- for its next round, which is fresh: a claim has nothing to read. The row stays what it is for all others: its id, its
-- deadline, what was sent to it, what it has said last by each event. Its hooks are over. Children that have ended are
-- nobody's from here on: no later round is to count them. It tells itself, so that a claim looks at it although it is
-- older than its floor. A cancel decides instead (rule 8).
CREATE FUNCTION perdure.write_continued(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    renewed text[];
BEGIN
    PERFORM perdure.lock_held(me, entries);
    PERFORM 1
       FROM json_to_recordset(entries) AS entry (run_id text)
      CROSS JOIN LATERAL (SELECT 1 FROM perdure.messages
                           WHERE messages.run_id = entry.run_id AND messages.kind = 'cancel' OFFSET 0) AS cancel;
    IF FOUND THEN
        RAISE EXCEPTION 'a cancel decides' USING ERRCODE = 'PD001';
    END IF;
    WITH over AS (
        UPDATE perdure.runs AS run
           SET state = 'ready', worker = NULL, claim = NULL, last_claim = run.claim, last_state = 'ready', due_at = NULL,
               reason = NULL, attempts = 0, progress_mark = 0, started_at = NULL, rounds = run.rounds + 1
          FROM (SELECT entry.run_id
                  FROM json_to_recordset(entries) AS entry (run_id text, claim uuid)
                 CROSS JOIN LATERAL (SELECT 1 FROM perdure.runs
                                      WHERE id = entry.run_id AND claim = entry.claim AND worker = me AND state = 'held'
                                     OFFSET 0) AS run) AS held
         WHERE run.id = held.run_id
        RETURNING run.id
    )
    SELECT array_agg(id ORDER BY id) INTO renewed FROM over;
    IF coalesce(cardinality(renewed), 0) <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that goes on as a new one is not held' USING ERRCODE = 'PD001';
    END IF;
    INSERT INTO perdure.inputs (run_id, codec, body)
    SELECT run_id, input ->> 'codec', input ->> 'text' FROM json_to_recordset(entries) AS entry (run_id text, input json)
    ON CONFLICT (run_id) DO UPDATE SET codec = excluded.codec, body = excluded.body;
    DELETE FROM perdure.checkpoints AS checkpoint
     WHERE run_id = ANY (renewed)
       AND (kind <> 'event'
            OR seq < (SELECT max(last.seq) FROM perdure.checkpoints AS last
                       WHERE last.run_id = checkpoint.run_id AND last.name = checkpoint.name AND last.kind = 'event'));
    DELETE FROM perdure.progress WHERE run_id = ANY (renewed);
    DELETE FROM perdure.hooks WHERE run_id = ANY (renewed) AND resolved_at IS NOT NULL;
    UPDATE perdure.hooks SET closed_at = perdure.now() WHERE run_id = ANY (renewed) AND closed_at IS NULL;
    UPDATE perdure.runs SET parent_id = NULL, parent_key = NULL
     WHERE parent_id = ANY (renewed) AND finished_at IS NOT NULL;
    INSERT INTO perdure.wakes (run_id) SELECT unnest(renewed);
END $$;
