-- From held to its end, for the claim that holds it; `finished_by` stays, so that a finish that is sent again finds
-- itself. The rows are locked first; only the next statement looks for cancels: an acknowledged one is never passed by
-- (rule 8). Who has one decides otherwise, the slow way; so does who is to end by one that nobody has asked for: whoever
-- holds the run was told of a cancel of the life before.
CREATE FUNCTION perdure.write_finished(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ended integer;
    cancelled text[];
    parents text[];
    all_ended text[];
BEGIN
    PERFORM perdure.lock_held(me, entries);
    PERFORM 1
       FROM json_to_recordset(entries) AS entry (run_id text, state text)
      CROSS JOIN LATERAL (SELECT 1 FROM perdure.messages
                           WHERE messages.run_id = entry.run_id AND messages.kind = 'cancel' OFFSET 0) AS cancel
      WHERE entry.state <> 'cancelled';
    IF FOUND THEN
        RAISE EXCEPTION 'a cancel decides' USING ERRCODE = 'PD001';
    END IF;
    WITH entry AS MATERIALIZED (
        SELECT * FROM json_to_recordset(entries) AS entry (
                          run_id text, claim uuid, state text, output json, reason text)
    ), over AS (
        UPDATE perdure.runs AS run
           SET state = held.becomes, worker = NULL, claim = NULL, last_claim = run.claim, last_state = held.becomes,
               finished_by = run.claim, finished_at = perdure.now(), due_at = NULL, reason = held.because
          FROM (SELECT entry.run_id, entry.state AS becomes, entry.reason AS because
                  FROM entry CROSS JOIN LATERAL (
                           SELECT 1 FROM perdure.runs
                            WHERE id = entry.run_id AND claim = entry.claim AND worker = me AND state = 'held'
                           OFFSET 0) AS run) AS held
         WHERE run.id = held.run_id
        RETURNING run.id, run.state, run.parent_id
    ), kept AS (
        INSERT INTO perdure.outputs (run_id, codec, body)
        SELECT run_id, output ->> 'codec', output ->> 'text' FROM entry WHERE output ->> 'codec' IS NOT NULL
        ON CONFLICT (run_id) DO NOTHING
    )
    SELECT count(*), array_agg(id ORDER BY id) FILTER (WHERE state = 'cancelled'), array_agg(id),
           array_agg(DISTINCT parent_id) FILTER (WHERE parent_id IS NOT NULL)
      INTO ended, cancelled, all_ended, parents FROM over;
    IF ended <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that ends is not held' USING ERRCODE = 'PD001';
    END IF;
    IF cancelled IS NOT NULL THEN
        PERFORM 1
           FROM json_to_recordset(entries) AS entry (run_id text, state text, has_deadline boolean)
          WHERE entry.state = 'cancelled' AND NOT entry.has_deadline
            AND NOT EXISTS (SELECT 1 FROM perdure.messages
                             WHERE messages.run_id = entry.run_id AND messages.kind = 'cancel' OFFSET 0);
        IF FOUND THEN
            RAISE EXCEPTION 'nobody has cancelled it' USING ERRCODE = 'PD001';
        END IF;
        PERFORM perdure.consume_cancels(cancelled);
    END IF;
    IF parents IS NOT NULL THEN
        PERFORM perdure.tell_runs(parents, me);
    END IF;
    PERFORM perdure.tell_waiters(all_ended);
END $$;
