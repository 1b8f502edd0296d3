-- Back to ready, with the attempt given back unless it stays charged; a charged one at the limit ends the run, unless
-- it has got further meanwhile or a cancel is to decide.
CREATE TEMP TRIGGER write_released INSTEAD OF INSERT ON section WHEN NEW.kind = 'released'
BEGIN
    UPDATE runs
       SET state = 'ready', worker = NULL, claim = NULL, last_claim = claim, last_state = 'ready', due_at = NULL,
           attempts = max(attempts - iif(json_extract(entry, '$.charged'), 0, 1), 0),
           reason = json_extract(entry, '$.reason')
      FROM (SELECT value AS entry, json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim
              FROM json_each(NEW.entries)) AS ended
     WHERE id = run_id AND claim = of_claim AND +worker IS NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that is let go of is not held')
     WHERE changes() <> json_array_length(NEW.entries);

    UPDATE runs
       SET state = 'dead', finished_at = (SELECT now FROM clock), finished_by = last_claim, last_state = 'dead',
           reason = printf('ended its worker at each of %d attempts; see the log of the workers, and retry it once that is '
                           || 'mended (`perdure runs retry`)', max_attempts) || coalesce('; the last one: ' || reason, '')
      FROM (SELECT json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim
              FROM json_each(NEW.entries) WHERE json_extract(value, '$.charged')) AS charged
     WHERE id = charged.run_id AND last_claim = of_claim AND state = 'ready' AND attempts >= max_attempts
       AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel')
       AND (SELECT steps FROM run_progress WHERE run_progress.id = runs.id) <= progress_mark;

    INSERT INTO wakes (run_id, worker)
    SELECT parent.id, parent.worker
      FROM json_each(NEW.entries) AS charged
     CROSS JOIN runs AS child
     CROSS JOIN runs AS parent
     WHERE json_extract(charged.value, '$.charged') AND child.id = json_extract(charged.value, '$.run_id')
       AND child.state = 'dead' AND parent.id = child.parent_id
       AND (parent.state = 'parked' OR parent.worker <> NEW.worker_id);
    INSERT INTO wakes (run_id)
    SELECT waits.waiter
      FROM json_each(NEW.entries) AS charged
     CROSS JOIN runs
     CROSS JOIN waits
     WHERE json_extract(charged.value, '$.charged') AND runs.id = json_extract(charged.value, '$.run_id')
       AND runs.state = 'dead' AND waits.awaited = runs.id;
END;
