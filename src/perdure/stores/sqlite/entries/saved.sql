-- Rule 2: of runs that this worker holds under these claims. Of several in a batch the last; one that is over takes the row
-- away, and comes after all that were saved.
CREATE TEMP TRIGGER write_saved INSTEAD OF INSERT ON section WHEN NEW.kind = 'saved'
BEGIN
    SELECT RAISE(ABORT, 'a run that saves is not held')
     WHERE json_array_length(NEW.entries)
           <> (SELECT count(*)
                 FROM json_each(NEW.entries) AS entry
                CROSS JOIN runs
                WHERE runs.id = json_extract(entry.value, '$.run_id')
                  AND runs.claim = json_extract(entry.value, '$.claim')
                  AND runs.worker = NEW.worker_id AND runs.state = 'held');

    INSERT INTO checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body, attempts,
                             recorded_at)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.key'), json_extract(entry, '$.claim'),
           json_extract(entry, '$.entry_id'), 'saved', json_extract(entry, '$.name'),
           json_extract(entry, '$.fingerprint'), 0, json_extract(entry, '$.outcome.codec'),
           json_extract(entry, '$.outcome.text'), json_extract(entry, '$.attempts'), (SELECT now FROM clock)
      FROM (SELECT key, value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0) AS given
     WHERE NOT json_extract(entry, '$.is_over')
     ORDER BY given.key
    ON CONFLICT (run_id, key) DO UPDATE
       SET claim = excluded.claim, entry_id = excluded.entry_id, codec = excluded.codec, body = excluded.body,
           attempts = excluded.attempts, recorded_at = excluded.recorded_at;
    DELETE FROM checkpoints
     WHERE (run_id, key) IN (SELECT json_extract(value, '$.run_id'), json_extract(value, '$.key')
                               FROM json_each(NEW.entries) WHERE json_extract(value, '$.is_over'));
END;
