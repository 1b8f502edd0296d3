-- Rule 2: updates that a run refuses, while it is held: a message is done with, and no checkpoint says so.
CREATE TEMP TRIGGER write_turned_down INSTEAD OF INSERT ON section WHEN NEW.kind = 'turned_down'
BEGIN
    SELECT RAISE(ABORT, 'a run that refuses an update is not held')
     WHERE json_array_length(NEW.entries)
           <> (SELECT count(*)
                 FROM json_each(NEW.entries) AS entry
                CROSS JOIN runs
                WHERE runs.id = json_extract(entry.value, '$.run_id')
                  AND runs.claim = json_extract(entry.value, '$.claim')
                  AND runs.worker = NEW.worker_id AND runs.state = 'held');

    UPDATE messages SET consumed_at = (SELECT now FROM clock), answer = 'refusal', answer_codec = in_codec,
                        answer_body = told
      FROM (SELECT json_extract(value, '$.message_id') AS message_id, json_extract(value, '$.run_id') AS receiver,
                   json_extract(value, '$.reason.codec') AS in_codec, json_extract(value, '$.reason.text') AS told
              FROM json_each(NEW.entries)) AS refused
     WHERE messages.id = refused.message_id AND messages.run_id = receiver AND messages.consumed_at IS NULL;
END;
