-- name: hear
-- What was told to this worker, after what was told to nobody has found its way (rule 13).
SELECT told, has_read, has_cancelled FROM perdure.hear(%(worker_id)s::uuid, %(heard)s::bigint[]);
