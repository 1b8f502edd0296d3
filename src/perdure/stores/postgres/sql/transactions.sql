-- name: transact
-- What ends a user's transaction, on the user's connection.
SELECT perdure.transact(CAST(%(worker_id)s AS uuid), CAST(%(run_id)s AS text), CAST(%(claim)s AS uuid),
                        CAST(%(entry)s AS json));

-- name: may_transact
-- Whether a connection of the user's reaches a database with these functions.
SELECT to_regprocedure('perdure.transact(uuid, text, uuid, json)') IS NOT NULL;

-- name: is_joined
-- Whether it is the database in which this worker works.
SELECT EXISTS (SELECT 1 FROM perdure.workers WHERE id = CAST(%(worker_id)s AS uuid));

-- name: was_transacted
-- Whether a commit of unknown outcome has happened; waits until it has or never will.
SELECT perdure.was_transacted(%(run_id)s, %(key)s);

-- name: may_create_within
-- Whether a connection of the user's reaches a database with these functions.
SELECT to_regprocedure('perdure.create_within(json)') IS NOT NULL;

-- name: create_within
-- Runs in a user's own transaction: for each of them who has its id or key, as JSON.
SELECT CAST(perdure.create_within(CAST(%(entries)s AS json)) AS text);
