-- Rule 2: of runs that this worker holds under these claims.
CREATE TEMP TRIGGER write_recorded INSTEAD OF INSERT ON section WHEN NEW.kind = 'recorded'
BEGIN
    INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                             attempts, started_at, arguments, recorded_at)
    SELECT runs.id, json_extract(entry, '$.key'), runs.claim, json_extract(entry, '$.entry_id'),
           json_extract(entry, '$.position'), json_extract(entry, '$.kind'), json_extract(entry, '$.name'),
           json_extract(entry, '$.fingerprint'), json_extract(entry, '$.is_error'),
           json_extract(entry, '$.outcome.codec'), json_extract(entry, '$.outcome.text'),
           json_extract(entry, '$.attempts'), json_extract(entry, '$.started_at'), json_extract(entry, '$.arguments'),
           (SELECT now FROM clock)
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0)
     CROSS JOIN runs
     WHERE runs.id = json_extract(entry, '$.run_id') AND runs.claim = json_extract(entry, '$.claim')
       AND runs.worker = NEW.worker_id AND runs.state = 'held';
    SELECT RAISE(ABORT, 'a run that records is not held')
     WHERE changes() <> json_array_length(NEW.entries);
END;
