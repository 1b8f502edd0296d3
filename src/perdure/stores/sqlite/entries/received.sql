-- Checkpoints like all others, and the messages that they consume.
CREATE TEMP TRIGGER write_received INSTEAD OF INSERT ON section WHEN NEW.kind = 'received'
BEGIN
    INSERT INTO section (kind, worker_id, entries) VALUES ('recorded', NEW.worker_id, NEW.entries);
    UPDATE messages SET consumed_at = (SELECT now FROM clock), consumed_key = by_key
      FROM (SELECT json_extract(value, '$.message_id') AS message_id, json_extract(value, '$.run_id') AS receiver,
                   json_extract(value, '$.key') AS by_key
              FROM json_each(NEW.entries)) AS received
     WHERE messages.id = received.message_id AND messages.run_id = receiver AND messages.consumed_at IS NULL;
    SELECT RAISE(ABORT, 'a message was received before')
     WHERE changes() <> (SELECT count(json_extract(value, '$.message_id')) FROM json_each(NEW.entries));
END;
