-- Checkpoints like all others, and the hooks that they close; not where an answer was first.
CREATE TEMP TRIGGER write_timed_out INSTEAD OF INSERT ON section WHEN NEW.kind = 'timed_out'
BEGIN
    INSERT INTO section (kind, worker_id, entries) VALUES ('recorded', NEW.worker_id, NEW.entries);
    SELECT RAISE(ABORT, 'a hook is resolved')
      FROM json_each(NEW.entries) AS entry
     CROSS JOIN hooks
     WHERE hooks.token = json_extract(entry.value, '$.token') AND hooks.run_id = json_extract(entry.value, '$.run_id')
       AND hooks.key = json_extract(entry.value, '$.hook_key') AND hooks.resolved_at IS NOT NULL;
    UPDATE hooks SET closed_at = (SELECT now FROM clock)
      FROM (SELECT json_extract(value, '$.token') AS of_token, json_extract(value, '$.run_id') AS of_run,
                   json_extract(value, '$.hook_key') AS at_key
              FROM json_each(NEW.entries)) AS late
     WHERE token = of_token AND run_id = of_run AND key = at_key;
END;
