-- name: history_checkpoints
-- What the runs have recorded, in order of recording.
SELECT run_id, key, kind, name, fingerprint, is_error, codec, body, position, attempts, arguments
  FROM perdure.checkpoints
 WHERE run_id = ANY (%(run_ids)s::text[])
 ORDER BY seq;

-- name: checkpoint_traces
-- Whose checkpoints stand under these keys: a resent entry looks for itself.
SELECT run_id, key, claim::text, entry_id
  FROM perdure.checkpoints
 WHERE (run_id, key) IN (SELECT wanted ->> 0, wanted ->> 1 FROM json_array_elements(%(keys)s::json) AS wanted);
