-- Ten checkpoints for each run of four of the functions.
BEGIN;
INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body, attempts, recorded_at)
  WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < 9)
SELECT runs.id, n, lower(hex(randomblob(16))), n, n, 'step', 'app:step', '0123456789abcdef', 0, 'json', '"an outcome of some length"', 1, runs.created_at
  FROM runs CROSS JOIN numbers
 WHERE runs.name IN ('app:work0', 'app:work1', 'app:work2', 'app:work3') ORDER BY runs.seq, n;
COMMIT;
ANALYZE;
PRAGMA wal_checkpoint(TRUNCATE);
