-- Rule 2, and rule 15: a table of its own. Of several in a batch the last.
CREATE TEMP TRIGGER write_progressed INSTEAD OF INSERT ON section WHEN NEW.kind = 'progressed'
BEGIN
    SELECT RAISE(ABORT, 'a run that makes progress is not held')
     WHERE json_array_length(NEW.entries)
           <> (SELECT count(*)
                 FROM json_each(NEW.entries) AS entry
                CROSS JOIN runs
                WHERE runs.id = json_extract(entry.value, '$.run_id')
                  AND runs.claim = json_extract(entry.value, '$.claim')
                  AND runs.worker = NEW.worker_id AND runs.state = 'held');

    INSERT INTO progress (run_id, key, name, attempt, done, total, note, at)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.key'), json_extract(entry, '$.name'),
           json_extract(entry, '$.attempt'), json_extract(entry, '$.done'), json_extract(entry, '$.total'),
           json_extract(entry, '$.note'), (SELECT now FROM clock)
      FROM (SELECT key, value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0) AS given
     WHERE TRUE
     ORDER BY given.key
    ON CONFLICT (run_id, key) DO UPDATE
       SET name = excluded.name, attempt = excluded.attempt, done = excluded.done, total = excluded.total,
           note = excluded.note, at = excluded.at;
END;
