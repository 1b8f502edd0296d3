-- The claim ends, and with it a life of the run: what it has recorded is gone, its arguments are others, and it is ready
-- for its next round, which is fresh: a claim has nothing to read. The row stays what it is for all others: its id, its
-- deadline, what was sent to it, what it has said last by each event. Its hooks are over. Children that have ended are
-- nobody's from here on: no later round is to count them. A cancel decides instead (rule 8).
CREATE TEMP TRIGGER write_continued INSTEAD OF INSERT ON section WHEN NEW.kind = 'continued'
BEGIN
    SELECT RAISE(ABORT, 'a cancel decides')
      FROM json_each(NEW.entries) AS entry
     CROSS JOIN messages
     WHERE messages.kind = 'cancel' AND messages.run_id = json_extract(entry.value, '$.run_id');

    UPDATE runs
       SET state = 'ready', worker = NULL, claim = NULL, last_claim = claim, last_state = 'ready', due_at = NULL,
           reason = NULL, attempts = 0, progress_mark = 0, started_at = NULL, rounds = rounds + 1
      FROM (SELECT json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim
              FROM json_each(NEW.entries)) AS over
     WHERE id = run_id AND claim = of_claim AND +worker IS NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that goes on as a new one is not held')
     WHERE changes() <> json_array_length(NEW.entries);

    UPDATE inputs SET codec = new_codec, body = new_body
      FROM (SELECT json_extract(value, '$.run_id') AS of_run, json_extract(value, '$.input.codec') AS new_codec,
                   json_extract(value, '$.input.text') AS new_body
              FROM json_each(NEW.entries)) AS given
     WHERE run_id = of_run;
    DELETE FROM checkpoints
     WHERE run_id IN (SELECT json_extract(value, '$.run_id') FROM json_each(NEW.entries))
       AND (kind <> 'event'
            OR seq < (SELECT max(last.seq) FROM checkpoints AS last
                       WHERE last.run_id = checkpoints.run_id AND last.name = checkpoints.name
                         AND last.kind = 'event'));
    DELETE FROM progress WHERE run_id IN (SELECT json_extract(value, '$.run_id') FROM json_each(NEW.entries));
    DELETE FROM hooks
     WHERE run_id IN (SELECT json_extract(value, '$.run_id') FROM json_each(NEW.entries)) AND resolved_at IS NOT NULL;
    UPDATE hooks SET closed_at = (SELECT now FROM clock)
     WHERE run_id IN (SELECT json_extract(value, '$.run_id') FROM json_each(NEW.entries)) AND closed_at IS NULL;
    UPDATE runs SET parent_id = NULL, parent_key = NULL
     WHERE parent_id IN (SELECT json_extract(value, '$.run_id') FROM json_each(NEW.entries))
       AND finished_at IS NOT NULL;
END;
