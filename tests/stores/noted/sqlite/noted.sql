CREATE TEMP TRIGGER write_noted INSTEAD OF INSERT ON section WHEN NEW.kind = 'noted'
BEGIN
    INSERT INTO notes (run_id, id, body)
    SELECT runs.id, json_extract(value, '$.entry_id'), json_extract(value, '$.body')
      FROM json_each(NEW.entries) CROSS JOIN runs
     WHERE runs.id = json_extract(value, '$.run_id') AND runs.claim = json_extract(value, '$.claim')
       AND runs.worker = NEW.worker_id AND runs.state = 'held';
    SELECT RAISE(ABORT, 'a run that notes is not held') WHERE changes() <> json_array_length(NEW.entries);
END;
