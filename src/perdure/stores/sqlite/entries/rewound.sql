-- Rule 2. What earlier attempts of these steps have written is void, and a row at the end of each stream says so. After the
-- chunks of the batch: what the new attempt has written is later than that of all others. Again it finds nothing to do.
CREATE TEMP TRIGGER write_rewound INSTEAD OF INSERT ON section WHEN NEW.kind = 'rewound'
BEGIN
    SELECT RAISE(ABORT, 'a run that begins a step anew is not held')
      FROM json_each(NEW.entries) AS entry
     WHERE NOT EXISTS (SELECT 1 FROM runs
                        WHERE runs.id = json_extract(entry.value, '$.run_id')
                          AND runs.claim = json_extract(entry.value, '$.claim')
                          AND runs.worker = NEW.worker_id AND runs.state = 'held');

    INSERT INTO streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, since, behind, written_at)
    SELECT void.run_id, void.name,
           (SELECT tail.first + tail.count FROM streams AS tail
             WHERE tail.run_id = void.run_id AND tail.name = void.name ORDER BY tail.first DESC LIMIT 1)
           + row_number() OVER (PARTITION BY void.run_id, void.name ORDER BY void.source) - 1,
           1, 'rewound', void.source, entry.attempt, entry.claim, entry.entry_id, min(void.first),
           coalesce((SELECT max(seq) FROM checkpoints), 0), (SELECT now FROM clock)
      FROM (SELECT json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.source') AS source,
                   json_extract(value, '$.claim') AS claim, max(json_extract(value, '$.attempt')) AS attempt,
                   json_extract(value, '$.entry_id') AS entry_id
              FROM json_each(NEW.entries)
             GROUP BY 1, 2 LIMIT -1 OFFSET 0) AS entry
     CROSS JOIN streams AS void
     WHERE void.run_id = entry.run_id AND void.source = entry.source AND void.kind IN ('chunks', 'closed')
       AND (void.claim <> entry.claim OR void.attempt < entry.attempt)
     GROUP BY void.run_id, void.name, void.source;

    UPDATE streams SET kind = 'void', codec = NULL, body = NULL
      FROM (SELECT json_extract(value, '$.run_id') AS of_run, json_extract(value, '$.source') AS of_source,
                   json_extract(value, '$.claim') AS of_claim, json_extract(value, '$.attempt') AS of_attempt
              FROM json_each(NEW.entries)) AS entry
     WHERE streams.run_id = of_run AND streams.source = of_source AND streams.kind IN ('chunks', 'closed')
       AND (streams.claim <> of_claim OR streams.attempt < of_attempt);
END;
