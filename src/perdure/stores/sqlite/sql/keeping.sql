-- name: columns_of
-- What a table has, for statements that are made of that.
SELECT json_group_array(json_array(name)) FROM pragma_table_info(:table);

-- name: families_of
-- Those of these runs that are there, those that they have made, down the tree, and those that undo what they did; whether
-- each has ended.
WITH RECURSIVE tree (root, id) AS (
    SELECT value, value FROM json_each(:run_ids)
     UNION
    SELECT tree.root, child.id FROM tree CROSS JOIN runs AS child WHERE child.parent_id = tree.id
     UNION
    SELECT tree.root, undoer.id FROM tree CROSS JOIN attributes CROSS JOIN runs AS undoer
     WHERE attributes.name = 'undo' AND attributes.value = tree.id
       AND undoer.id = attributes.run_id AND undoer.name = 'perdure:undo'
     LIMIT :most
)
SELECT json_group_array(json_array(tree.root, tree.id, runs.finished_at IS NOT NULL))
  FROM tree CROSS JOIN runs WHERE runs.id = tree.id;

-- name: expired_of
-- The next runs of a function, in the order in which they were made: whether each is to be removed, and whether none that
-- follows it can be.
SELECT json_group_array(json_array(
           seq, id,
           finished_at IS NOT NULL AND finished_at <= (SELECT now FROM clock) - :least_seconds
           AND (parent_id IS NULL OR NOT EXISTS (SELECT 1 FROM runs AS parent WHERE parent.id = next.parent_id))
           AND (ifnull(finished_at <= (SELECT now FROM clock) - :keep_seconds, 0) OR ifnull(seq < :below, 0)),
           ifnull(created_at > (SELECT now FROM clock) - :keep_seconds, 1) AND ifnull(seq >= :below, 1)))
  FROM (SELECT seq, id, finished_at, created_at, parent_id FROM runs
         WHERE name = :name AND seq > :after AND seq > 0 ORDER BY seq LIMIT :most) AS next;

-- name: newest_kept
-- The oldest of the newest so many that have ended and that no run has made, by when they were made.
SELECT json_group_array(json_array(seq))
  FROM (SELECT seq FROM runs
         WHERE name = :name AND seq > 0 AND finished_at IS NOT NULL AND parent_id IS NULL
         ORDER BY seq DESC LIMIT 1 OFFSET :kept - 1);

-- name: needed_among
-- Those of these that something unfinished waits for, or was made of.
SELECT json_group_array(json_array(one.value))
  FROM json_each(:run_ids) AS one
 WHERE EXISTS (SELECT 1 FROM waits WHERE waits.awaited = one.value)
    OR EXISTS (SELECT 1 FROM attributes CROSS JOIN runs AS fork
                WHERE attributes.name = 'forked_from' AND attributes.value = one.value
                  AND fork.id = attributes.run_id AND fork.finished_at IS NULL);

-- name: called_among
-- Those of these whose end somebody unfinished has asked for by a call that found them.
SELECT json_group_array(json_array(one.value))
  FROM json_each(:bodies) AS one
 WHERE EXISTS (SELECT 1 FROM checkpoints CROSS JOIN runs AS caller
                WHERE checkpoints.kind = 'child' AND checkpoints.attempts = 0 AND checkpoints.body = one.value
                  AND caller.id = checkpoints.run_id AND caller.finished_at IS NULL);

-- name: leaves_among
-- Those of these that have ended, have made nothing that is still there, and are undone by nothing that is.
SELECT json_group_array(json_array(runs.id))
  FROM json_each(:run_ids) AS one CROSS JOIN runs
 WHERE runs.id = one.value AND runs.finished_at IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM runs AS child WHERE child.parent_id = runs.id)
   AND NOT EXISTS (SELECT 1 FROM attributes WHERE attributes.name = 'undo' AND attributes.value = runs.id);

-- name: remove_runs
-- These, and by the foreign keys all that belongs to them; what was done to them by whom stays.
DELETE FROM runs WHERE id IN (SELECT value FROM json_each(:run_ids));

-- name: known_among
-- Those of these that are there, and when they were made.
SELECT json_group_array(json_array(runs.id, printf('%!.17g', runs.created_at)))
  FROM json_each(:run_ids) AS one CROSS JOIN runs WHERE runs.id = one.value;

-- name: tell_added
-- Those of these that wait look once more: what they wait for may have come meanwhile.
INSERT INTO wakes (run_id, worker)
SELECT runs.id, NULL FROM json_each(:run_ids) AS one CROSS JOIN runs
 WHERE runs.id = one.value AND runs.state = 'parked' AND runs.waits_for IS NOT NULL;

-- name: runs_after
-- The next runs, in the order in which they were made.
SELECT json_group_array(json_array(seq, id))
  FROM (SELECT seq, id FROM runs WHERE seq > :after ORDER BY seq LIMIT :most);

-- name: records_of
-- The numbers of what these runs have recorded.
SELECT json_group_array(json_array(run_id, key, seq))
  FROM checkpoints WHERE run_id IN (SELECT value FROM json_each(:run_ids));
