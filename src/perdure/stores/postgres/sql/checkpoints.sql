-- name: history_checkpoints
-- What the runs have recorded, in order of recording; and how much each source has written to each stream, and whether it
-- has closed it.
SELECT run_id, key, kind, name, fingerprint, is_error, codec, body, position, attempts, arguments
  FROM (SELECT seq, run_id, key, kind, name, fingerprint, is_error, codec, body, position, attempts, arguments
          FROM perdure.checkpoints
         WHERE run_id = ANY (%(run_ids)s::text[])
         UNION ALL
        SELECT min(first), run_id, source, 'stream', name, '-', bool_or(kind = 'closed'), 'json', sum(count)::text,
               NULL, 1, NULL
          FROM perdure.streams
         WHERE run_id = ANY (%(run_ids)s::text[]) AND kind IN ('chunks', 'closed')
         GROUP BY run_id, source, name) AS recorded
 ORDER BY seq;

-- name: checkpoint_traces
-- Whose checkpoints stand under these keys: a resent entry looks for itself.
SELECT run_id, key, claim::text, entry_id
  FROM perdure.checkpoints
 WHERE (run_id, key) IN (SELECT wanted ->> 0, wanted ->> 1 FROM json_array_elements(%(keys)s::json) AS wanted);
