-- What a worker writes: each section the entries of one kind, as a JSON array. Nothing is ever in it; the triggers of
-- the kinds (`entries/`) are what an INSERT does. All sections of a batch go in by one statement, which is its own
-- transaction, fence included: so the interpreter's lock is given away as often for a batch as for one row.
CREATE TEMP VIEW section AS
SELECT NULL AS kind, NULL AS worker_id, NULL AS entries WHERE FALSE;

-- Rule 1: a worker without a row may not write. The statement holds the write lock, so no row lock is needed.
CREATE TEMP TRIGGER fence_sections INSTEAD OF INSERT ON section WHEN NEW.kind = 'fence'
BEGIN
    SELECT RAISE(ABORT, 'the worker has no row')
     WHERE NOT EXISTS (SELECT 1 FROM workers WHERE id = NEW.worker_id);

    -- Rule 8: cancels of what this worker holds are told to it. Mostly nothing is, and the mailbox has no row for it.
    SELECT note_cancel(messages.run_id)
      FROM wakes
     CROSS JOIN messages
     CROSS JOIN runs
     WHERE wakes.worker = NEW.worker_id AND messages.run_id = wakes.run_id AND messages.kind = 'cancel'
       AND runs.id = wakes.run_id AND runs.worker = NEW.worker_id;
END;
