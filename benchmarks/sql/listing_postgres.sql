-- Runs of twenty functions and four queues, one in two hundred failed, one in two thousand ready, over thirty days; every
-- thousandth is a child of one parent, and each has a customer, of whom there are ten thousand.
INSERT INTO perdure.runs (id, kind, name, queue, state, priority, created_at, started_at, finished_at, attempts,
                          max_attempts, created_by, parent_id, parent_key, fingerprint, reason)
SELECT 'run-' || lpad(n::text, 9, '0'), 'workflow', 'app:work' || (n % 20), 'queue' || (n % 4),
       CASE WHEN n % 2000 = 7 THEN 'ready' WHEN n % 200 = 3 THEN 'failed' ELSE 'succeeded' END, 0,
       to_timestamp(1750000000.0 + n * 2592000.0 / :count), to_timestamp(1750000001.0 + n * 2592000.0 / :count),
       CASE WHEN n % 2000 <> 7 THEN to_timestamp(1750000002.0 + n * 2592000.0 / :count) END, 1, 10, 'entry' || n,
       CASE WHEN n % 1000 = 1 AND n > 1 THEN 'run-000000001' END, CASE WHEN n % 1000 = 1 AND n > 1 THEN 'k' || n END,
       '0123456789abcdef', CASE WHEN n % 200 = 3 THEN 'the reason' END
  FROM generate_series(1, :count) AS n;
INSERT INTO perdure.inputs (run_id, codec, body)
SELECT id, 'json', '[' || seq || ', "an argument of some length"]' FROM perdure.runs;
INSERT INTO perdure.attributes (run_id, name, value, seq) SELECT id, 'customer', 'c' || (seq % 10000), seq FROM perdure.runs;
VACUUM ANALYZE;
CHECKPOINT;
