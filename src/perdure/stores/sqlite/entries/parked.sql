-- The claim ends and gives its attempt back; the run says what it waits for.
CREATE TEMP TRIGGER write_parked INSTEAD OF INSERT ON section WHEN NEW.kind = 'parked'
BEGIN
    UPDATE runs
       SET state = 'parked', worker = NULL, claim = NULL, last_claim = claim, last_state = 'parked',
           attempts = max(attempts - 1, 0), due_at = json_extract(entry, '$.due_at'),
           children_seen = json_extract(entry, '$.children_seen'),
           waits_for = nullif(json_extract(entry, '$.waits_for'), '[]'),
           needs_mend = json_extract(entry, '$.needs_mend'), reason = json_extract(entry, '$.reason')
      FROM (SELECT value AS entry, json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim
              FROM json_each(NEW.entries)) AS ended
     WHERE id = run_id AND claim = of_claim AND +worker = NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that parks is not held')
     WHERE changes() <> json_array_length(NEW.entries);
END;
