-- name: history_checkpoints
-- What the runs have recorded, in order of recording.
SELECT run_id, key, kind, name, fingerprint, is_error, codec, body, position, attempts
  FROM perdure.checkpoints
 WHERE run_id = ANY (%(run_ids)s::text[])
 ORDER BY seq;
