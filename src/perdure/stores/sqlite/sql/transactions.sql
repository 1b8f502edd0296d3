-- name: transact
-- Rule 9, on the user's connection, which has the write lock: the fence, the claim, and whether it is recorded already.
SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM workers WHERE id = :worker_id) THEN 'fenced'
            WHEN NOT EXISTS (SELECT 1 FROM runs WHERE id = :run_id AND worker = :worker_id AND claim = :claim
                                                  AND state = 'held') THEN 'gone'
            WHEN EXISTS (SELECT 1 FROM checkpoints WHERE run_id = :run_id AND key = :key) THEN 'recorded'
            ELSE 'made' END;

-- name: transact_checkpoint
-- The checkpoint, in the user's own commit.
INSERT INTO checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body, attempts, started_at,
                         arguments, recorded_at)
SELECT :run_id, :key, :claim, json_extract(:entry, '$.entry_id'), json_extract(:entry, '$.kind'),
       json_extract(:entry, '$.name'), json_extract(:entry, '$.fingerprint'), 0, json_extract(:entry, '$.outcome.codec'),
       json_extract(:entry, '$.outcome.text'), json_extract(:entry, '$.attempts'), json_extract(:entry, '$.started_at'),
       json_extract(:entry, '$.arguments'), (SELECT now FROM clock);

-- name: drop_sections
-- What the user's connection was given to make runs with.
DROP VIEW section;

-- name: files
-- Which file a connection of the user's has open.
PRAGMA database_list;

-- name: was_transacted
-- Whether a commit of unknown outcome has happened.
SELECT 1 FROM checkpoints WHERE run_id = :run_id AND key = :key;

-- name: take_write_lock
-- Where somebody else has begun the transaction, and not for writing.
UPDATE workers SET pid = pid WHERE 0;
