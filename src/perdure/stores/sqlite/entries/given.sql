-- Rule 14: runs that wait give their slots back, while they are held; only under their claims.
CREATE TEMP TRIGGER write_given INSTEAD OF INSERT ON section WHEN NEW.kind = 'given'
BEGIN
    UPDATE runs SET has_slot = NULL
      FROM (SELECT DISTINCT json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim
              FROM json_each(NEW.entries)) AS giver
     WHERE id = run_id AND claim = of_claim AND +worker IS NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that gives its slot back is not held')
     WHERE changes() <> (SELECT count(DISTINCT json_extract(value, '$.claim')) FROM json_each(NEW.entries));
END;
