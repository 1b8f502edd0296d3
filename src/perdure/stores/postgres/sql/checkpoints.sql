-- name: history_checkpoints
-- What a run has recorded, in order of recording.
SELECT key, kind, name, fingerprint, is_error, codec, body, position, attempts
  FROM perdure.checkpoints
 WHERE run_id = %(run_id)s
 ORDER BY seq;
