-- name: read_one_state
-- All statements of the transaction see one state of the database.
SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;

-- name: columns_of
-- What a table has and is not computed, for statements that are made of that.
SELECT attname FROM pg_attribute
 WHERE attrelid = ('perdure.' || %(table)s)::regclass AND attnum > 0 AND NOT attisdropped
   AND attgenerated = '' ORDER BY attnum;

-- name: families_of
-- Those of these runs that are there, those that they have made, down the tree, and those that undo what they did; whether
-- each has ended.
SELECT root, id, has_ended FROM perdure.families_of(%(run_ids)s::text[], %(most)s);

-- name: expired_of
-- The next runs of a function, in the order in which they were made: whether each is to be removed, and whether none that
-- follows it can be.
SELECT seq, id,
       coalesce(finished_at <= perdure.now() - make_interval(secs => %(least_seconds)s), false)
       AND (parent_id IS NULL OR NOT EXISTS (SELECT 1 FROM perdure.runs AS parent WHERE parent.id = next.parent_id OFFSET 0))
       AND (coalesce(finished_at <= perdure.now() - make_interval(secs => %(keep_seconds)s::float8), false)
            OR coalesce(seq < %(below)s::bigint, false)),
       coalesce(created_at > perdure.now() - make_interval(secs => %(keep_seconds)s::float8), true)
       AND coalesce(seq >= %(below)s::bigint, true)
  FROM (SELECT seq, id, finished_at, created_at, parent_id FROM perdure.runs
         WHERE name = %(name)s AND seq > %(after)s AND seq > 0 ORDER BY seq LIMIT %(most)s) AS next
 ORDER BY seq;

-- name: newest_kept
-- The oldest of the newest so many that have ended and that no run has made, by when they were made.
SELECT seq FROM perdure.runs
 WHERE name = %(name)s AND seq > 0 AND finished_at IS NOT NULL AND parent_id IS NULL
 ORDER BY seq DESC LIMIT 1 OFFSET %(kept)s - 1;

-- name: lock_ended
-- Those of these that have ended, and that nobody else removes or starts anew just now: until the transaction ends.
SELECT id FROM perdure.runs WHERE id = ANY (%(run_ids)s::text[]) AND finished_at IS NOT NULL ORDER BY id
   FOR UPDATE SKIP LOCKED;

-- name: needed_among
-- Those of these that something unfinished waits for, or was made of.
SELECT one.id FROM unnest(%(run_ids)s::text[]) AS one (id)
 WHERE EXISTS (SELECT 1 FROM perdure.waits WHERE waits.awaited = one.id OFFSET 0)
    OR EXISTS (SELECT 1 FROM perdure.attributes
                CROSS JOIN LATERAL (SELECT finished_at FROM perdure.runs WHERE runs.id = attributes.run_id OFFSET 0) AS fork
                WHERE attributes.name = 'forked_from' AND attributes.value = one.id AND fork.finished_at IS NULL OFFSET 0);

-- name: called_among
-- Those of these whose end somebody unfinished has asked for by a call that found them.
SELECT one.body FROM unnest(%(bodies)s::text[]) AS one (body)
 WHERE EXISTS (SELECT 1 FROM perdure.checkpoints AS call
                CROSS JOIN LATERAL (SELECT finished_at FROM perdure.runs WHERE runs.id = call.run_id OFFSET 0) AS caller
                WHERE call.kind = 'child' AND call.attempts = 0 AND call.body = one.body AND caller.finished_at IS NULL
               OFFSET 0);

-- name: leaves_among
-- Those of these that have ended, have made nothing that is still there, and are undone by nothing that is.
SELECT id FROM perdure.runs AS run
 WHERE id = ANY (%(run_ids)s::text[]) AND finished_at IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM perdure.runs AS child WHERE child.parent_id = run.id OFFSET 0)
   AND NOT EXISTS (SELECT 1 FROM perdure.attributes
                    WHERE attributes.name = 'undo' AND attributes.value = run.id OFFSET 0);

-- name: remove_runs
-- These, and all that belongs to them; what was done to them by whom stays.
SELECT perdure.remove_runs(%(run_ids)s::text[]);

-- name: known_among
-- Those of these that are there, and when they were made.
SELECT id, extract(epoch FROM created_at)::float8 FROM perdure.runs WHERE id = ANY (%(run_ids)s::text[]);

-- name: tell_added
-- Those of these that wait look once more: what they wait for may have come meanwhile.
INSERT INTO perdure.wakes (run_id)
SELECT id FROM perdure.runs WHERE id = ANY (%(run_ids)s::text[]) AND state = 'parked' AND waits_for IS NOT NULL;

-- name: runs_after
-- The next runs, in the order in which they were made.
SELECT seq, id FROM perdure.runs WHERE seq > %(after)s AND seq > 0 ORDER BY seq LIMIT %(most)s;

-- name: stop_writers
-- Nobody joins, makes a run or sends to one until the transaction ends.
LOCK TABLE perdure.workers, perdure.runs, perdure.messages, perdure.schedules IN SHARE ROW EXCLUSIVE MODE;

-- name: records_of
-- The numbers of what these runs have recorded.
SELECT run_id, key, seq FROM perdure.checkpoints WHERE run_id = ANY (%(run_ids)s::text[]);
