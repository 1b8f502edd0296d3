-- Rule 2: of runs that this worker holds under these claims. The checkpoint, so that nobody sets them twice; then the
-- attributes, the last of a name in the batch last.
CREATE TEMP TRIGGER write_attributes INSTEAD OF INSERT ON section WHEN NEW.kind = 'attributes'
BEGIN
    INSERT INTO checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body, attempts,
                             arguments, recorded_at)
    SELECT runs.id, json_extract(entry, '$.key'), runs.claim, json_extract(entry, '$.entry_id'), 'attributes',
           'set_attributes', json_extract(entry, '$.fingerprint'), 0, json_extract(entry, '$.outcome.codec'),
           json_extract(entry, '$.outcome.text'), 1, json_extract(entry, '$.arguments'), (SELECT now FROM clock)
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0)
     CROSS JOIN runs
     WHERE runs.id = json_extract(entry, '$.run_id') AND runs.claim = json_extract(entry, '$.claim')
       AND runs.worker = NEW.worker_id AND runs.state = 'held';
    SELECT RAISE(ABORT, 'a run that records is not held')
     WHERE changes() <> json_array_length(NEW.entries);

    INSERT INTO attributes (run_id, name, value, seq)
    SELECT runs.id, given.key, given.value, runs.seq
      FROM json_each(NEW.entries) AS entry
     CROSS JOIN json_each(json_extract(entry.value, '$.attributes')) AS given
     CROSS JOIN runs
     WHERE runs.id = json_extract(entry.value, '$.run_id') AND given.value IS NOT NULL
     ORDER BY entry.key
    ON CONFLICT (run_id, name) DO UPDATE SET value = excluded.value;

    DELETE FROM attributes
     WHERE (run_id, name) IN (SELECT json_extract(entry.value, '$.run_id'), given.key
                                FROM json_each(NEW.entries) AS entry
                               CROSS JOIN json_each(json_extract(entry.value, '$.attributes')) AS given
                               GROUP BY 1, 2
                              HAVING max(entry.key) = max(iif(given.value IS NULL, entry.key, -1)));
END;
