-- The first answer to an open hook is the only one: a message like all others.
CREATE TEMP TRIGGER write_resolved INSTEAD OF INSERT ON section WHEN NEW.kind = 'resolved'
BEGIN
    UPDATE hooks SET resolved_at = (SELECT now FROM clock), resolved_by = by_message
      FROM (SELECT json_extract(value, '$.token') AS of_token, json_extract(value, '$.run_id') AS of_run,
                   json_extract(value, '$.key') AS at_key, json_extract(value, '$.message_id') AS by_message
              FROM json_each(NEW.entries)) AS answer
     WHERE token = of_token AND run_id = of_run AND key = at_key AND resolved_at IS NULL AND closed_at IS NULL;
    SELECT RAISE(ABORT, 'a hook is not open')
     WHERE changes() <> json_array_length(NEW.entries);
    INSERT INTO section (kind, worker_id, entries) VALUES ('sent', NEW.worker_id, NEW.entries);
END;
