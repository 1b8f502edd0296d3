-- LIMIT -1 OFFSET 0, here and in the other sections: the entries are taken out of their array once; else each is
-- written out anew for every column.
CREATE TEMP TRIGGER write_created INSTEAD OF INSERT ON section WHEN NEW.kind = 'created'
BEGIN
    INSERT INTO runs (id, kind, name, queue, state, priority, due_at, created_at, started_at, worker, claim, attempts,
                      max_attempts, created_by, parent_id, parent_key, fingerprint, deadline_at,
                      is_detached, dedup_key, dedup_until_start, flow_key)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.kind'), json_extract(entry, '$.name'),
           json_extract(entry, '$.queue'), iif(held_as IS NULL, 'ready', 'held'), json_extract(entry, '$.priority'),
           iif(held_as IS NULL, coalesce(json_extract(entry, '$.due_at'),
                                 json_extract(entry, '$.delay_seconds') + (SELECT now FROM clock)), NULL), (SELECT now FROM clock),
           iif(held_as IS NULL, NULL, (SELECT now FROM clock)), iif(held_as IS NULL, NULL, NEW.worker_id), held_as,
           held_as IS NOT NULL, json_extract(entry, '$.max_attempts'), json_extract(entry, '$.entry_id'),
           json_extract(entry, '$.parent_id'), json_extract(entry, '$.parent_key'),
           json_extract(entry, '$.fingerprint'),
           min(coalesce(json_extract(entry, '$.deadline_at'), by_timeout),
               coalesce(by_timeout, json_extract(entry, '$.deadline_at'))),
           coalesce(json_extract(entry, '$.is_detached'), 0), json_extract(entry, '$.dedup_key'),
           json_extract(entry, '$.dedup_until_start'), json_extract(entry, '$.flow_key')
      FROM (SELECT value AS entry, json_extract(value, '$.held_as') AS held_as,
                   coalesce(json_extract(value, '$.due_at'),
                            (SELECT now FROM clock) + coalesce(json_extract(value, '$.delay_seconds'), 0))
                   + json_extract(value, '$.timeout_seconds') AS by_timeout
              FROM json_each(NEW.entries) LIMIT -1 OFFSET 0);

    -- Rule 2: whoever makes a run inside another holds that one, or takes it in this very batch.
    SELECT RAISE(ABORT, 'a claim under which a run was to be made has ended')
      FROM (SELECT DISTINCT json_extract(value, '$.claim') AS claim FROM json_each(NEW.entries)) AS making
     WHERE making.claim IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM runs
                        WHERE runs.worker = NEW.worker_id AND runs.claim = making.claim AND runs.state = 'held');

    INSERT INTO inputs (run_id, codec, body)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.input.codec'), json_extract(entry, '$.input.text')
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0);
END;

-- A child's creation is its parent's checkpoint, too. A trigger of its own, since most runs are nobody's children.
CREATE TEMP TRIGGER record_calls INSTEAD OF INSERT ON section
WHEN NEW.kind = 'created' AND instr(NEW.entries, '"parent_id":"') > 0
BEGIN
    INSERT INTO checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body, attempts,
                             recorded_at)
    SELECT json_extract(entry, '$.parent_id'), json_extract(entry, '$.parent_key'), json_extract(entry, '$.claim'),
           json_extract(entry, '$.entry_id'), 'child', json_extract(entry, '$.name'),
           json_extract(entry, '$.fingerprint'), 0, 'json', json_quote(json_extract(entry, '$.run_id')), 1,
           (SELECT now FROM clock)
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0)
     WHERE json_extract(entry, '$.parent_id') IS NOT NULL AND json_extract(entry, '$.claim') IS NOT NULL
    ON CONFLICT (run_id, key) DO NOTHING;
END;
