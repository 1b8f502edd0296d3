-- Of runs whose rows are locked, in a later statement: who has a pause that nobody has ended, and is in nobody's hands, is
-- stopped by it, whatever it waits for; who has none any more goes on where it was. By data, so that of a pause, its end and a
-- park the last one to commit decides. A cancel goes first: such a run is swept.
CREATE FUNCTION perdure.heed_pauses(told text[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM 1 FROM perdure.messages WHERE kind = 'pause' AND consumed_at IS NULL AND run_id = ANY (told) LIMIT 1;
    IF FOUND THEN
        UPDATE perdure.runs AS run SET state = 'parked', stopped = 'paused'
         WHERE run.id = ANY (told)
           AND CASE WHEN run.stopped = 'paused' THEN false ELSE run.state IN ('ready', 'parked') END
           AND EXISTS (SELECT 1 FROM perdure.messages AS message
                        WHERE message.run_id = run.id AND message.kind = 'pause' AND message.consumed_at IS NULL OFFSET 0)
           AND NOT EXISTS (SELECT 1 FROM perdure.messages AS message
                            WHERE message.run_id = run.id AND message.kind = 'cancel' OFFSET 0);
    END IF;
    UPDATE perdure.runs AS run
       SET state = CASE WHEN waits_for IS NULL AND due_at IS NULL THEN 'ready' ELSE 'parked' END, stopped = NULL,
           reason = NULL
     WHERE run.id = ANY (told) AND run.stopped = 'paused'
       AND NOT EXISTS (SELECT 1 FROM perdure.messages AS message
                        WHERE message.run_id = run.id AND message.kind = 'pause' AND message.consumed_at IS NULL OFFSET 0);
END $$;

-- Ask for the pause of these runs, in one transaction. The rows' locks keep an end from passing by (rule 8); who holds a
-- run is told, all others are looked at here. Those that had not ended.
CREATE FUNCTION perdure.pause_runs(wanted text[], by_whom text, why text) RETURNS text[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    asked text[];
BEGIN
    asked := ARRAY(SELECT id FROM perdure.runs WHERE id = ANY (wanted) AND finished_at IS NULL
                    ORDER BY id FOR NO KEY UPDATE);
    INSERT INTO perdure.messages (run_id, kind) SELECT unnest(asked), 'pause'
        ON CONFLICT (run_id) WHERE kind = 'pause' AND consumed_at IS NULL DO NOTHING;
    INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM perdure.runs WHERE id = ANY (asked);
    INSERT INTO perdure.audit (who, action, run_id, detail) SELECT by_whom, 'pause', unnest(asked), why;
    PERFORM perdure.read_wakes();
    RETURN asked;
END $$;

-- End the pause of these runs, and let those go on whose retries were used up. Those of which either was so.
CREATE FUNCTION perdure.resume_runs(wanted text[], by_whom text, why text) RETURNS text[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    asked text[];
BEGIN
    asked := ARRAY(SELECT id FROM perdure.runs AS run
                    WHERE run.id = ANY (wanted) AND run.finished_at IS NULL
                      AND (run.stopped IN ('paused', 'retries')
                           OR EXISTS (SELECT 1 FROM perdure.messages AS message
                                       WHERE message.run_id = run.id AND message.kind = 'pause'
                                         AND message.consumed_at IS NULL OFFSET 0))
                    ORDER BY id FOR NO KEY UPDATE);
    UPDATE perdure.messages SET consumed_at = perdure.now()
     WHERE kind = 'pause' AND consumed_at IS NULL AND run_id = ANY (asked);
    UPDATE perdure.runs SET state = 'ready', stopped = NULL, reason = NULL, due_at = NULL, waits_for = NULL
     WHERE id = ANY (asked) AND stopped = 'retries';
    INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM perdure.runs WHERE id = ANY (asked);
    INSERT INTO perdure.audit (who, action, run_id, detail) SELECT by_whom, 'resume', unnest(asked), why;
    PERFORM perdure.read_wakes();
    RETURN asked;
END $$;
