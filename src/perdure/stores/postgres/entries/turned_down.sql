-- Rule 2: updates that a run refuses, while it is held: a message is done with, and no checkpoint says so.
CREATE FUNCTION perdure.write_turned_down(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    known integer;
    refused record;
BEGIN
    SELECT count(*) INTO known
      FROM json_to_recordset(entries) AS entry (run_id text, claim uuid)
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0);
    IF known <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a run that refuses an update is not held' USING ERRCODE = 'PD001';
    END IF;
    FOR refused IN SELECT * FROM json_to_recordset(entries) AS entry (run_id text, message_id uuid, reason json) LOOP
        UPDATE perdure.messages
           SET consumed_at = perdure.now(), answer = 'refusal', answer_codec = refused.reason ->> 'codec',
               answer_body = refused.reason ->> 'text'
         WHERE id = refused.message_id AND run_id IS NOT DISTINCT FROM refused.run_id AND consumed_at IS NULL;
    END LOOP;
END $$;
