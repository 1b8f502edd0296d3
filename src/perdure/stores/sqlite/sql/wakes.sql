-- name: forget_heard
-- What this worker has heard is done with.
DELETE FROM wakes WHERE worker = :worker_id AND seq IN (SELECT value FROM json_each(:heard));

-- name: return_wakes
-- What was told to a worker of a run that it does not hold is for anybody: of all that it was told, when it is gone.
UPDATE wakes SET worker = NULL
 WHERE worker = :worker_id AND run_id NOT IN (SELECT id FROM runs WHERE worker = :holder);

-- name: read_wakes
-- Look at the runs that were told something: what this insert does is the trigger of its name.
INSERT INTO mailbox (upto) SELECT upto FROM told WHERE upto IS NOT NULL;

-- name: told
-- What this worker is told, and whether the run has a cancel, or is to be paused.
SELECT json_group_array(json_array(seq, run_id,
                                   EXISTS (SELECT 1 FROM messages
                                            WHERE messages.run_id = ours.run_id AND messages.kind = 'cancel'),
                                   EXISTS (SELECT 1 FROM messages
                                            WHERE messages.run_id = ours.run_id AND messages.kind = 'pause'
                                              AND messages.consumed_at IS NULL)))
  FROM (SELECT seq, run_id FROM wakes WHERE worker = :worker_id ORDER BY seq LIMIT 1000) AS ours;

-- name: has_told
-- Whether anybody was told something, and whether that is a cancel of a run that nobody holds.
SELECT EXISTS (SELECT 1 FROM wakes WHERE worker IS NULL),
       EXISTS (SELECT 1 FROM (SELECT run_id FROM wakes WHERE worker IS NULL ORDER BY seq LIMIT 1000) AS open
                WHERE EXISTS (SELECT 1 FROM messages
                               WHERE messages.run_id = open.run_id AND messages.kind = 'cancel'
                                 AND messages.consumed_at IS NULL));

-- name: tell_parents
-- The ends of these are told to their parents, unless one of the same has ended.
INSERT INTO wakes (run_id, worker)
SELECT DISTINCT parent.id, parent.worker
  FROM json_each(:run_ids) AS ended
 CROSS JOIN runs AS child
 CROSS JOIN runs AS parent
 WHERE child.id = ended.value AND parent.id = child.parent_id AND parent.state IN ('parked', 'held');

-- name: tell_waiters
-- And to the other runs that wait for them.
INSERT INTO wakes (run_id)
SELECT DISTINCT waits.waiter FROM json_each(:run_ids) AS ended CROSS JOIN waits WHERE waits.awaited = ended.value;

-- name: forget_waiters
-- Who was told waits no more.
DELETE FROM waits WHERE awaited IN (SELECT value FROM json_each(:run_ids));
