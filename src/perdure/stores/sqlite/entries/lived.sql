-- Runs from outside whose whole life falls into the batch: nobody has seen them before, so no cancel can be meant for
-- them.
CREATE TEMP TRIGGER write_lived INSTEAD OF INSERT ON section WHEN NEW.kind = 'lived'
BEGIN
    INSERT INTO runs (id, kind, name, queue, state, priority, created_at, started_at, finished_at, attempts,
                      max_attempts, created_by, finished_by, fingerprint, reason)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.kind'), json_extract(entry, '$.name'),
           json_extract(entry, '$.queue'), json_extract(entry, '$.state'), json_extract(entry, '$.priority'),
           (SELECT now FROM clock), (SELECT now FROM clock), (SELECT now FROM clock), 1,
           json_extract(entry, '$.max_attempts'), json_extract(entry, '$.entry_id'), json_extract(entry, '$.held_as'),
           json_extract(entry, '$.fingerprint'), json_extract(entry, '$.reason')
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0);

    INSERT INTO inputs (run_id, codec, body)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.input.codec'), json_extract(entry, '$.input.text')
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0);

    INSERT INTO outputs (run_id, codec, body)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.output.codec'), json_extract(entry, '$.output.text')
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0)
     WHERE json_type(entry, '$.output') = 'object';
END;
