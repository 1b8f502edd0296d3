-- A run that has not begun, of the same function, gets the input of the last and waits longer, up to its limit from the first
-- on. It is nobody's child, whoever asks for it.
CREATE TEMP TRIGGER write_debounced INSTEAD OF INSERT ON section WHEN NEW.kind = 'debounced'
BEGIN
    SELECT RAISE(ABORT, 'a claim under which a run was to be made has ended')
      FROM (SELECT DISTINCT json_extract(value, '$.claim') AS claim FROM json_each(NEW.entries)) AS making
     WHERE making.claim IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM runs
                        WHERE runs.worker = NEW.worker_id AND runs.claim = making.claim AND runs.state = 'held');

    INSERT INTO runs (id, kind, name, queue, state, priority, due_at, created_at, attempts, max_attempts, created_by,
                      fingerprint, deadline_at, dedup_key, dedup_until_start, flow_key)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.kind'), json_extract(entry, '$.name'),
           json_extract(entry, '$.queue'), 'ready', json_extract(entry, '$.priority'), due_at, now, 0,
           json_extract(entry, '$.max_attempts'), json_extract(entry, '$.entry_id'), json_extract(entry, '$.fingerprint'),
           min(coalesce(json_extract(entry, '$.deadline_at'), due_at + json_extract(entry, '$.timeout_seconds')),
               coalesce(due_at + json_extract(entry, '$.timeout_seconds'), json_extract(entry, '$.deadline_at'))),
           json_extract(entry, '$.dedup_key'), 1, json_extract(entry, '$.flow_key')
      FROM (SELECT value AS entry, now,
                   now + min(json_extract(value, '$.debounce_seconds'),
                             coalesce(json_extract(value, '$.longest_seconds'),
                                      json_extract(value, '$.debounce_seconds'))) AS due_at
              FROM json_each(NEW.entries) CROSS JOIN clock ORDER BY json_each.key LIMIT -1 OFFSET 0)
     WHERE TRUE
    ON CONFLICT (queue, dedup_key)
       WHERE dedup_key IS NOT NULL AND finished_at IS NULL AND (dedup_until_start IS NOT TRUE OR started_at IS NULL)
    DO UPDATE SET created_by = excluded.created_by, fingerprint = excluded.fingerprint, deadline_at = excluded.deadline_at
        WHERE runs.dedup_until_start AND runs.started_at IS NULL AND runs.name = excluded.name;

    SELECT RAISE(ABORT, 'the key is another run''s')
      FROM json_each(NEW.entries) AS entry
     WHERE NOT EXISTS (SELECT 1 FROM runs
                        WHERE queue = json_extract(entry.value, '$.queue') AND name = json_extract(entry.value, '$.name')
                          AND dedup_key = json_extract(entry.value, '$.dedup_key') AND dedup_key IS NOT NULL
                          AND finished_at IS NULL AND (dedup_until_start IS NOT TRUE OR started_at IS NULL)
                          AND dedup_until_start AND started_at IS NULL);

    INSERT INTO inputs (run_id, codec, body)
    SELECT runs.id, json_extract(entry.value, '$.input.codec'), json_extract(entry.value, '$.input.text')
      FROM json_each(NEW.entries) AS entry
     CROSS JOIN runs
     WHERE runs.queue = json_extract(entry.value, '$.queue') AND runs.dedup_key = json_extract(entry.value, '$.dedup_key')
       AND runs.dedup_key IS NOT NULL AND runs.finished_at IS NULL
       AND (runs.dedup_until_start IS NOT TRUE OR runs.started_at IS NULL)
       AND runs.created_by = json_extract(entry.value, '$.entry_id')
    ON CONFLICT (run_id) DO UPDATE SET codec = excluded.codec, body = excluded.body;

    -- By the last of each key, from the first on.
    UPDATE runs
       SET due_at = (SELECT min(clock.now + json_extract(entry.value, '$.debounce_seconds'),
                                coalesce(runs.created_at + json_extract(entry.value, '$.longest_seconds'),
                                         clock.now + json_extract(entry.value, '$.debounce_seconds')))
                       FROM json_each(NEW.entries) AS entry CROSS JOIN clock
                      WHERE json_extract(entry.value, '$.entry_id') = runs.created_by)
     WHERE id IN (SELECT runs.id
                    FROM json_each(NEW.entries) AS entry
                   CROSS JOIN runs
                   WHERE runs.queue = json_extract(entry.value, '$.queue')
                     AND runs.dedup_key = json_extract(entry.value, '$.dedup_key') AND runs.dedup_key IS NOT NULL
                     AND runs.finished_at IS NULL AND (runs.dedup_until_start IS NOT TRUE OR runs.started_at IS NULL)
                     AND runs.created_by = json_extract(entry.value, '$.entry_id'));
END;
