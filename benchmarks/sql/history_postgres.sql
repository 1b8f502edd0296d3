-- Finished runs with all their rows, copied from the one that is called "template".
INSERT INTO perdure.runs (id, kind, name, queue, state, priority, created_at, started_at, finished_at, attempts,
                          max_attempts, finished_by, last_claim, last_state, created_by, fingerprint)
SELECT 'finished-' || n, kind, name, queue, state, priority, created_at, started_at, finished_at, attempts,
       max_attempts, finished_by, last_claim, last_state, created_by, fingerprint
  FROM perdure.runs, generate_series(1, :count) AS n WHERE id = 'template';
INSERT INTO perdure.inputs (run_id, codec, body)
SELECT 'finished-' || n, codec, body FROM perdure.inputs, generate_series(1, :count) AS n WHERE run_id = 'template';
INSERT INTO perdure.outputs (run_id, codec, body)
SELECT 'finished-' || n, codec, body FROM perdure.outputs, generate_series(1, :count) AS n WHERE run_id = 'template';
INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                                 attempts, started_at, recorded_at)
SELECT 'finished-' || n, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body, attempts,
       started_at, recorded_at
  FROM perdure.checkpoints, generate_series(1, :count) AS n WHERE run_id = 'template';
VACUUM ANALYZE;
CHECKPOINT;
