-- How far in the mailbox one look goes: what is told to anybody, at most so much of it. NULL: nothing is.
CREATE TEMP VIEW told AS
SELECT max(seq) AS upto FROM (SELECT seq FROM wakes WHERE worker IS NULL ORDER BY seq LIMIT 1000);

-- A look into the mailbox. Nothing is ever in it; `read_wakes` is what an INSERT does.
CREATE TEMP VIEW mailbox AS SELECT NULL AS upto WHERE FALSE;

-- Rules 7 and 13: what a told run waits for is looked up, never flagged; the write lock makes the answer final. A kind of
-- wait is one line in here; one that a later release has made wakes the run. A held run's row goes on to its worker. A
-- cancelled run that nobody holds keeps its row until it is swept.
CREATE TEMP TRIGGER read_wakes INSTEAD OF INSERT ON mailbox
BEGIN
    -- Who has a pause that nobody has ended, and is in nobody's hands, is stopped by it, whatever it waits for; who has none
    -- any more goes on where it was. A cancel goes first: such a run is swept.
    UPDATE runs SET state = 'parked', stopped = 'paused'
     WHERE id IN (SELECT run_id FROM wakes WHERE worker IS NULL AND seq <= NEW.upto)
       AND state IN ('ready', 'parked') AND stopped IS NOT 'paused'
       AND EXISTS (SELECT 1 FROM messages
                    WHERE messages.run_id = runs.id AND messages.kind = 'pause' AND messages.consumed_at IS NULL)
       AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel');
    UPDATE runs
       SET state = iif(waits_for IS NULL AND due_at IS NULL, 'ready', 'parked'), stopped = NULL, reason = NULL
     WHERE id IN (SELECT run_id FROM wakes WHERE worker IS NULL AND seq <= NEW.upto) AND stopped = 'paused'
       AND NOT EXISTS (SELECT 1 FROM messages
                        WHERE messages.run_id = runs.id AND messages.kind = 'pause' AND messages.consumed_at IS NULL);
    UPDATE runs SET state = 'ready', due_at = NULL, waits_for = NULL
     WHERE id IN (SELECT run_id FROM wakes WHERE worker IS NULL AND seq <= NEW.upto)
       AND state = 'parked' AND stopped IS NULL AND waits_for IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel')
       AND EXISTS (SELECT 1 FROM json_each(runs.waits_for) AS wait
                    WHERE CASE json_extract(wait.value, '$.kind')
                              WHEN 'children' THEN (SELECT count(*) FROM runs AS child
                                                     WHERE child.parent_id = runs.id AND child.finished_at IS NOT NULL)
                                                   > json_extract(wait.value, '$.seen')
                              WHEN 'run' THEN EXISTS (SELECT 1 FROM runs AS other
                                                       WHERE other.id = json_extract(wait.value, '$.what')
                                                         AND other.finished_at IS NOT NULL)
                              WHEN 'message' THEN EXISTS (SELECT 1 FROM messages AS message
                                                           WHERE message.run_id = runs.id AND message.kind = 'message'
                                                             AND message.topic = json_extract(wait.value, '$.what')
                                                             AND message.consumed_at IS NULL)
                              WHEN 'event' THEN EXISTS (SELECT 1 FROM checkpoints AS event
                                                         WHERE event.run_id = json_extract(wait.value, '$.run_id')
                                                           AND event.name = json_extract(wait.value, '$.what')
                                                           AND event.kind = 'event')
                                                OR NOT EXISTS (SELECT 1 FROM runs AS other
                                                                WHERE other.id = json_extract(wait.value, '$.run_id')
                                                                  AND other.finished_at IS NULL)
                              ELSE TRUE
                          END);
    DELETE FROM waits
     WHERE waiter IN (SELECT run_id FROM wakes WHERE worker IS NULL AND seq <= NEW.upto)
       AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = waits.waiter AND runs.state = 'parked');
    UPDATE wakes SET worker = (SELECT runs.worker FROM runs WHERE runs.id = wakes.run_id)
     WHERE worker IS NULL AND seq <= NEW.upto;
    DELETE FROM wakes
     WHERE worker IS NULL AND seq <= NEW.upto
       AND NOT EXISTS (SELECT 1 FROM messages CROSS JOIN runs
                        WHERE messages.run_id = wakes.run_id AND messages.kind = 'cancel'
                          AND runs.id = wakes.run_id AND runs.state IN ('ready', 'parked'));
END;

-- The end of a child is told to its parent, if that is parked or another worker has it; the worker that commits it tells
-- its own in memory. One trigger each for parents and others, so that a batch pays for neither where there is none.
CREATE TEMP TRIGGER tell_parents INSTEAD OF INSERT ON section
WHEN NEW.kind = 'finished' AND (EXISTS (SELECT 1 FROM runs WHERE state = 'parked' AND waits_for IS NOT NULL)
                                OR (SELECT count(*) FROM workers) > 1)
BEGIN
    INSERT INTO wakes (run_id, worker)
    SELECT DISTINCT parent.id, parent.worker
      FROM json_each(NEW.entries) AS ended
     CROSS JOIN runs AS child
     CROSS JOIN runs AS parent
     WHERE child.id = json_extract(ended.value, '$.run_id') AND parent.id = child.parent_id
       AND (parent.state = 'parked' OR parent.worker <> NEW.worker_id);
END;

CREATE TEMP TRIGGER tell_waiters INSTEAD OF INSERT ON section
WHEN NEW.kind = 'finished' AND EXISTS (SELECT 1 FROM waits)
BEGIN
    INSERT INTO wakes (run_id)
    SELECT DISTINCT waits.waiter
      FROM json_each(NEW.entries) AS ended
     CROSS JOIN waits
     WHERE waits.awaited = json_extract(ended.value, '$.run_id');
    DELETE FROM waits
     WHERE awaited IN (SELECT json_extract(value, '$.run_id') FROM json_each(NEW.entries));
END;
