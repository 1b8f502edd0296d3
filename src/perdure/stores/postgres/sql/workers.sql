-- name: join_worker
-- The right to write. Sent again after an unknown outcome it renews. Whether its transactions are to be counted.
INSERT INTO perdure.workers (id, hostname, pid, timeline, lease_seconds, decisions, sessions, queues, names, version)
VALUES (%(worker_id)s::uuid, %(hostname)s, %(pid)s, perdure.current_timeline(), %(lease_seconds)s, %(decisions)s,
        %(sessions)s, %(queues)s::text[], %(names)s::text[], %(version)s)
ON CONFLICT (id) DO UPDATE SET renewed_at = excluded.renewed_at
RETURNING timeline IS NULL;

-- name: renew_worker
-- The heartbeat: something that others see to change, and no other column, so that it never waits for a fence.
UPDATE perdure.workers SET renewed_at = perdure.now()
 WHERE id = %(worker_id)s::uuid
RETURNING id;

-- name: serve
-- What the worker takes runs of has changed.
UPDATE perdure.workers SET queues = %(queues)s::text[], names = %(names)s::text[], version = %(version)s
 WHERE id = %(worker_id)s::uuid
RETURNING id;

-- name: leave_worker
-- A worker that leaves gives back its runs, and then its right to write.
SELECT perdure.leave(%(worker_id)s::uuid);

-- name: take_over_worker
-- One taker wins: whoever deletes the row, puts the runs back (rule 3).
SELECT perdure.take_over(%(worker_id)s::uuid, %(seen)s);

-- name: workers
-- Who may be dead is decided by others, from these.
SELECT id::text, hostname, pid, extract(epoch FROM renewed_at)::double precision, lease_seconds, queues, names, version
  FROM perdure.workers ORDER BY joined_at, id;

-- name: end_sessions
-- What a dead worker has left open may hold locks on rows (rule 12): its sessions end, where this role may end them.
SELECT perdure.end_sessions(%(worker_id)s::uuid, %(seen)s);
