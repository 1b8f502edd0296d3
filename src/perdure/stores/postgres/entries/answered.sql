-- Checkpoints like all others, and the answers to the updates of which they are the outcomes. What was asked of another
-- run, from which this one was forked, is that one's to answer.
CREATE FUNCTION perdure.write_answered(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    PERFORM perdure.write_recorded(me, entries);
    UPDATE perdure.messages
       SET answer = CASE WHEN entry.is_error THEN 'error' ELSE 'value' END, answer_key = entry.key,
           answer_codec = entry.outcome ->> 'codec', answer_body = entry.outcome ->> 'text'
      FROM json_to_recordset(entries) AS entry (run_id text, key text, message_id uuid, is_error boolean, outcome json)
     WHERE messages.id = entry.message_id AND messages.run_id = entry.run_id AND messages.answer IS NULL;
END $$;
