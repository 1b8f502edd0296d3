-- Checkpoints like all others; parked runs that wait for an event of the same run are told (rule 13).
CREATE TEMP TRIGGER write_event_set INSTEAD OF INSERT ON section WHEN NEW.kind = 'event_set'
BEGIN
    INSERT INTO section (kind, worker_id, entries) VALUES ('recorded', NEW.worker_id, NEW.entries);
    INSERT INTO wakes (run_id)
    SELECT DISTINCT waits.waiter
      FROM (SELECT DISTINCT json_extract(value, '$.run_id') AS said_by FROM json_each(NEW.entries)) AS said
     CROSS JOIN waits
     WHERE waits.awaited = said_by;
END;
