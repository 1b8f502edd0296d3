-- Rule 2: chunks of runs that this worker holds under these claims. Their offsets follow those that are there, in the order
-- of the batch.
CREATE TEMP TRIGGER write_written INSTEAD OF INSERT ON section WHEN NEW.kind = 'written'
BEGIN
    INSERT INTO streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, behind, codec, body,
                         written_at)
    SELECT runs.id, stream,
           coalesce((SELECT tail.first + tail.count FROM streams AS tail
                      WHERE tail.run_id = runs.id AND tail.name = stream ORDER BY tail.first DESC LIMIT 1), 0) + ahead,
           length, iif(is_closed, 'closed', 'chunks'), json_extract(entry, '$.source'),
           json_extract(entry, '$.attempt'), runs.claim, json_extract(entry, '$.entry_id'),
           coalesce((SELECT max(seq) FROM checkpoints), 0),
           iif(is_closed, NULL, json_extract(entry, '$.codec')), iif(is_closed, NULL, json_extract(entry, '$.texts')),
           (SELECT now FROM clock)
      FROM (SELECT entry, stream, is_closed, length,
                   sum(length) OVER (PARTITION BY json_extract(entry, '$.run_id'), stream ORDER BY place) - length AS ahead
              FROM (SELECT key AS place, value AS entry, json_extract(value, '$.name') AS stream,
                           json_extract(value, '$.is_closed') AS is_closed,
                           iif(json_extract(value, '$.is_closed'), 1, json_array_length(value, '$.texts')) AS length
                      FROM json_each(NEW.entries) LIMIT -1 OFFSET 0)) AS given
     CROSS JOIN runs
     WHERE runs.id = json_extract(entry, '$.run_id') AND runs.claim = json_extract(entry, '$.claim')
       AND runs.worker = NEW.worker_id AND runs.state = 'held';
    SELECT RAISE(ABORT, 'a run that writes to a stream is not held')
     WHERE changes() <> json_array_length(NEW.entries);
END;
