-- Checkpoints like all others, and the answers to the updates of which they are the outcomes. What was asked of another
-- run, from which this one was forked, is that one's to answer.
CREATE TEMP TRIGGER write_answered INSTEAD OF INSERT ON section WHEN NEW.kind = 'answered'
BEGIN
    INSERT INTO section (kind, worker_id, entries) VALUES ('recorded', NEW.worker_id, NEW.entries);
    UPDATE messages SET answer = iif(is_wrong, 'error', 'value'), answer_key = by_key, answer_codec = in_codec,
                        answer_body = told
      FROM (SELECT json_extract(value, '$.message_id') AS message_id, json_extract(value, '$.run_id') AS receiver,
                   json_extract(value, '$.key') AS by_key, json_extract(value, '$.is_error') AS is_wrong,
                   json_extract(value, '$.outcome.codec') AS in_codec, json_extract(value, '$.outcome.text') AS told
              FROM json_each(NEW.entries)) AS answered
     WHERE messages.id = answered.message_id AND messages.run_id = receiver AND messages.answer IS NULL;
END;
