-- name: prepare_line
-- The worker's own session. The server itself drops it eleven seconds after its machine is gone. Nothing that it writes is
-- worth a wait for the disk: a heartbeat, and hints.
SELECT set_config('tcp_keepalives_idle', '5', false),
       set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false),
       set_config('tcp_user_timeout', '11000', false),
       set_config('synchronous_commit', 'off', false);

-- name: listen
-- What other processes say; see `send_hint`.
LISTEN perdure;

-- name: take_lock
-- The worker's own, in this session; the locks of its former lives go. False while an older session of its still has it.
SELECT pg_advisory_unlock_all(), pg_try_advisory_lock(80, lock_no), pg_backend_pid()
  FROM perdure.workers WHERE id = %(worker_id)s::uuid;

-- name: own_lock
-- Which of the server's processes answers, and whether it has the lock: behind a pooler it is any.
SELECT pg_backend_pid(),
       EXISTS (SELECT 1 FROM pg_locks
                WHERE locktype = 'advisory' AND classid = 80 AND objsubid = 2 AND pid = pg_backend_pid() AND granted
                  AND objid = (SELECT lock_no::bigint::oid FROM perdure.workers WHERE id = %(worker_id)s::uuid)
                  AND database = (SELECT oid FROM pg_database WHERE datname = current_database()));

-- name: drop_locks
-- A lock that somebody else's client would hold after us is no sign of life.
SELECT pg_advisory_unlock_all();

-- name: backend
-- Which of the server's processes answers.
SELECT pg_backend_pid();

-- name: note_lock
-- From now on others look at the lock. No key column, so that it waits for no fence.
UPDATE perdure.workers SET has_lock = %(has_lock)s WHERE id = %(worker_id)s::uuid;

-- name: look_at_locks
-- Rule 10: who has a lock, and whether it is held. The server's list of locks is read once.
WITH held AS MATERIALIZED (
    SELECT objid::bigint AS lock_no FROM pg_locks
     WHERE locktype = 'advisory' AND classid = 80 AND objsubid = 2 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT id::text, lock_no IN (SELECT lock_no FROM held) FROM perdure.workers WHERE has_lock;

-- name: send_hint
-- One for many commits, and never in theirs: a notification serialises all commits of the server.
SELECT pg_notify('perdure', %(text)s);
