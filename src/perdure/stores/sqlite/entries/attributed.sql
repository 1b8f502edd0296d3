-- By what people find the runs that the batch has made, of those that were given anything.
CREATE TEMP TRIGGER write_attributed INSTEAD OF INSERT ON section WHEN NEW.kind = 'attributed'
BEGIN
    INSERT INTO attributes (run_id, name, value, seq)
    SELECT runs.id, given.key, given.value, runs.seq
      FROM json_each(NEW.entries) AS entry
     CROSS JOIN json_each(json_extract(entry.value, '$.attributes')) AS given
     CROSS JOIN runs
     WHERE runs.id = json_extract(entry.value, '$.run_id');
END;
