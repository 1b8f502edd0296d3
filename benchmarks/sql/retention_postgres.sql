-- Ten checkpoints for each run of four of the functions.
INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                                 attempts, recorded_at)
SELECT runs.id, n::text, gen_random_uuid(), n::text, n, 'step', 'app:step', '0123456789abcdef', false, 'json',
       '"an outcome of some length"', 1, created_at
  FROM perdure.runs CROSS JOIN generate_series(0, 9) AS n
 WHERE runs.name IN ('app:work0', 'app:work1', 'app:work2', 'app:work3') ORDER BY runs.seq, 2;
VACUUM ANALYZE;
CHECKPOINT;
