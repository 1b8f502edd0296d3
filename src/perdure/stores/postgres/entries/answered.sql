-- Checkpoints like all others, and the answers to the updates of which they are the outcomes. What was asked of another
-- run, from which this one was forked, is that one's to answer.
CREATE FUNCTION perdure.write_answered(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    given record;
BEGIN
    PERFORM perdure.write_recorded(me, entries);
    FOR given IN SELECT * FROM json_to_recordset(entries) AS entry (
                     run_id text, key text, message_id uuid, is_error boolean, outcome json)
    LOOP
        UPDATE perdure.messages
           SET answer = CASE WHEN given.is_error THEN 'error' ELSE 'value' END, answer_key = given.key,
               answer_codec = given.outcome ->> 'codec', answer_body = given.outcome ->> 'text'
         WHERE id = given.message_id AND run_id IS NOT DISTINCT FROM given.run_id AND answer IS NULL;
    END LOOP;
END $$;
