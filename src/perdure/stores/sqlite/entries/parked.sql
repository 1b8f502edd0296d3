-- The claim ends and gives its attempt back; the run says what it waits for, and tells itself: what that is may have come
-- (rule 13). Who waits for a time alone needs no row, but where a cancel has come meanwhile.
CREATE TEMP TRIGGER write_parked INSTEAD OF INSERT ON section WHEN NEW.kind = 'parked'
BEGIN
    UPDATE runs
       SET state = 'parked', worker = NULL, claim = NULL, last_claim = claim, last_state = 'parked',
           attempts = max(attempts - 1, 0), due_at = json_extract(entry, '$.due_at'),
           waits_for = nullif(json_extract(entry, '$.waits_for'), '[]'),
           stopped = json_extract(entry, '$.stopped'), reason = json_extract(entry, '$.reason')
      FROM (SELECT value AS entry, json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim
              FROM json_each(NEW.entries)) AS ended
     WHERE id = run_id AND claim = of_claim AND +worker IS NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that parks is not held')
     WHERE changes() <> json_array_length(NEW.entries);

    -- What this worker's code cannot replay goes on to one with other code, if there is one.
    UPDATE runs SET refused_by = json_insert(coalesce(refused_by, '[]'), '$[#]', refused_now)
      FROM (SELECT json_extract(entry.value, '$.run_id') AS of_run, coalesce(workers.version, '') AS refused_now
              FROM json_each(NEW.entries) AS entry
             CROSS JOIN workers
             WHERE json_extract(entry.value, '$.is_refused') AND workers.id = NEW.worker_id) AS refused
     WHERE id = of_run;
    UPDATE runs SET state = 'ready', stopped = NULL
      FROM (SELECT json_extract(value, '$.run_id') AS of_run FROM json_each(NEW.entries)
             WHERE json_extract(value, '$.is_refused')) AS refused
     WHERE id = of_run
       AND EXISTS (SELECT 1 FROM workers
                    WHERE runs.queue IN (SELECT value FROM json_each(workers.queues))
                      AND runs.name IN (SELECT value FROM json_each(workers.names))
                      AND coalesce(workers.version, '') NOT IN (SELECT value FROM json_each(runs.refused_by)));

    INSERT INTO waits (waiter, awaited)
    SELECT json_extract(parked.value, '$.run_id'),
           iif(json_extract(wait.value, '$.kind') = 'run', json_extract(wait.value, '$.what'),
               json_extract(wait.value, '$.run_id'))
      FROM json_each(NEW.entries) AS parked
     CROSS JOIN json_each(parked.value, '$.waits_for') AS wait
     WHERE json_extract(wait.value, '$.kind') IN ('run', 'event')
    ON CONFLICT DO NOTHING;
    INSERT INTO wakes (run_id) SELECT json_extract(value, '$.run_id')
      FROM json_each(NEW.entries)
     WHERE json_extract(value, '$.waits_for[0]') IS NOT NULL OR json_extract(value, '$.stopped') = 'paused'
        OR EXISTS (SELECT 1 FROM messages
                    WHERE messages.run_id = json_extract(value, '$.run_id') AND messages.kind = 'cancel');
END;
