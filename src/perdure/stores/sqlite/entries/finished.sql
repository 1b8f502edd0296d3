-- From held to its end, for the claim that holds it; `finished_by` stays, so that a resent finish finds itself.
-- A cancelled run whose deadline has passed has ended by that, whoever else asked for its end. One that was cancelled to
-- make room has the reason that the audit has.
-- `+worker IS`, here and in the other ends: a search for the entries' ids, not for all that the worker holds. `=` would say
-- that it is not NULL, from which newer planners take a walk through `runs_held`.
CREATE TEMP TRIGGER write_finished INSTEAD OF INSERT ON section WHEN NEW.kind = 'finished'
BEGIN
    -- Rule 8: an acknowledged cancel decides how a run ends. None can come between this and the end: one writer.
    SELECT RAISE(ABORT, 'a cancel decides')
      FROM json_each(NEW.entries) AS entry
     CROSS JOIN messages
     WHERE messages.kind = 'cancel' AND messages.run_id = json_extract(entry.value, '$.run_id')
       AND json_extract(entry.value, '$.state') <> 'cancelled';

    UPDATE runs
       SET state = into_state, finished_at = (SELECT now FROM clock), finished_by = claim, worker = NULL, claim = NULL,
           reason = CASE WHEN into_state <> 'cancelled' THEN because
                         WHEN deadline_at <= (SELECT now FROM clock) THEN 'its deadline has passed'
                         ELSE coalesce(because, (SELECT detail FROM audit
                                                  WHERE audit.run_id = runs.id AND action = 'cancel' AND at >= started_at
                                                    AND detail LIKE 'overflow: %' ORDER BY seq DESC LIMIT 1)) END
      FROM (SELECT json_extract(value, '$.run_id') AS run_id, json_extract(value, '$.claim') AS of_claim,
                   json_extract(value, '$.state') AS into_state, json_extract(value, '$.reason') AS because
              FROM json_each(NEW.entries)) AS ended
     WHERE id = run_id AND claim = of_claim AND +worker IS NEW.worker_id AND state = 'held';
    SELECT RAISE(ABORT, 'a run that ends is not held')
     WHERE changes() <> json_array_length(NEW.entries);

    INSERT INTO outputs (run_id, codec, body)
    SELECT json_extract(entry, '$.run_id'), json_extract(entry, '$.output.codec'), json_extract(entry, '$.output.text')
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0)
     WHERE json_type(entry, '$.output') = 'object';
END;

-- A run that ends by a cancel has consumed it, and takes its unfinished children with it, but for the detached ones. Without
-- any it does not end so: whoever holds it was told of a cancel of the life before.
-- A trigger of its own, since
-- few do: the text is searched in a fraction of the time that taking it apart once more would take.
CREATE TEMP TRIGGER pass_cancels_on INSTEAD OF INSERT ON section
WHEN NEW.kind = 'finished' AND instr(NEW.entries, '"cancelled"') > 0
BEGIN
    SELECT RAISE(ABORT, 'nobody has cancelled it')
      FROM json_each(NEW.entries) AS ended
     WHERE json_extract(ended.value, '$.state') = 'cancelled' AND NOT json_extract(ended.value, '$.has_deadline')
       AND NOT EXISTS (SELECT 1 FROM messages
                        WHERE messages.kind = 'cancel' AND messages.run_id = json_extract(ended.value, '$.run_id'));
    INSERT INTO messages (id, run_id, kind, sent_at)
    SELECT lower(hex(randomblob(16))), child.id, 'cancel', (SELECT now FROM clock)
      FROM json_each(NEW.entries) AS ended
     CROSS JOIN runs AS child
     WHERE json_extract(ended.value, '$.state') = 'cancelled'
       AND child.parent_id = json_extract(ended.value, '$.run_id') AND child.finished_at IS NULL AND NOT child.is_detached
    ON CONFLICT (run_id) WHERE kind = 'cancel' DO NOTHING;
    UPDATE messages SET consumed_at = (SELECT now FROM clock)
     WHERE kind = 'cancel'
       AND run_id IN (SELECT json_extract(value, '$.run_id') FROM json_each(NEW.entries)
                       WHERE json_extract(value, '$.state') = 'cancelled');
END;
