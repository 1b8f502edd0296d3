-- Messages to runs that have not ended; a message is sent once, and says so by its id.
CREATE TEMP TRIGGER write_sent INSTEAD OF INSERT ON section WHEN NEW.kind = 'sent'
BEGIN
    INSERT INTO messages (id, run_id, kind, topic, codec, body, sent_at)
    SELECT json_extract(entry, '$.message_id'), runs.id, 'message', json_extract(entry, '$.topic'),
           json_extract(entry, '$.value.codec'), json_extract(entry, '$.value.text'), (SELECT now FROM clock)
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0)
     CROSS JOIN runs
     WHERE runs.id = json_extract(entry, '$.run_id') AND runs.finished_at IS NULL;
    SELECT RAISE(ABORT, 'the receiver of a message has ended')
     WHERE changes() <> json_array_length(NEW.entries);

    -- Rule 2.
    SELECT RAISE(ABORT, 'a claim under which a message was sent has ended')
      FROM (SELECT DISTINCT json_extract(value, '$.claim') AS claim FROM json_each(NEW.entries)) AS sending
     WHERE sending.claim IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM runs
                        WHERE runs.worker = NEW.worker_id AND runs.claim = sending.claim AND runs.state = 'held');

    -- Rule 13; a worker tells its own runs in memory.
    INSERT INTO wakes (run_id, worker)
    SELECT DISTINCT runs.id, runs.worker
      FROM json_each(NEW.entries) AS entry
     CROSS JOIN runs
     WHERE runs.id = json_extract(entry.value, '$.run_id')
       AND (runs.state = 'parked' OR runs.worker <> NEW.worker_id);
END;
