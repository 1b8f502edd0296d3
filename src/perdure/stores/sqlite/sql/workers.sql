-- name: fence
-- A worker without a row may not write. The write lock is already held, so no row lock is needed.
SELECT 1 FROM workers WHERE id = :worker_id;

-- name: join_worker
-- The right to write. Sent again after an unknown outcome it renews.
INSERT INTO workers (id, hostname, pid, joined_at, renewed_at, lease_seconds, queues, names, version)
SELECT :worker_id, :hostname, :pid, now, now, :lease_seconds, :queues, :names, :version FROM clock WHERE true
ON CONFLICT (id) DO UPDATE SET renewed_at = excluded.renewed_at;

-- name: renew_worker
-- The heartbeat: something that others see to change.
UPDATE workers SET renewed_at = (SELECT now FROM clock) WHERE id = :worker_id;

-- name: serve
-- What the worker takes runs of has changed.
UPDATE workers SET queues = :queues, names = :names, version = :version WHERE id = :worker_id;

-- name: remove_worker
-- A worker that leaves gives up its right to write, after its runs.
DELETE FROM workers WHERE id = :worker_id;

-- name: take_over_worker
-- One taker wins: whoever deletes the row, puts the runs back. The write lock makes SKIP LOCKED unnecessary.
DELETE FROM workers
 WHERE id = :worker_id AND renewed_at = coalesce(:seen, renewed_at)
RETURNING id;

-- name: workers
-- Who may be dead is decided by others, from these.
SELECT id, hostname, pid, renewed_at, lease_seconds, queues, names, version FROM workers ORDER BY joined_at, id;
