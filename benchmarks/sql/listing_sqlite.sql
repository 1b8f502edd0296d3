-- Runs of twenty functions and four queues, one in two hundred failed, one in two thousand ready, over thirty days; every
-- thousandth is a child of one parent, and each has a customer, of whom there are ten thousand, and a region; every
-- hundredth has received a message, every tenth recorded a step.
BEGIN;
INSERT INTO runs (id, kind, name, queue, state, priority, created_at, started_at, finished_at, attempts, max_attempts,
                  created_by, parent_id, parent_key, fingerprint, reason)
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT printf('run-%09d', n), 'workflow', 'app:work' || (n % 20), 'queue' || (n % 4),
       CASE WHEN n % 2000 = 7 THEN 'ready' WHEN n % 200 = 3 THEN 'failed' ELSE 'succeeded' END, 0,
       1750000000.0 + n * 2592000.0 / :count, 1750000001.0 + n * 2592000.0 / :count,
       iif(n % 2000 = 7, NULL, 1750000002.0 + n * 2592000.0 / :count), 1, 10, 'entry' || n,
       iif(n % 1000 = 1 AND n > 1, 'run-000000001', NULL), iif(n % 1000 = 1 AND n > 1, 'k' || n, NULL), '0123456789abcdef',
       iif(n % 200 = 3, 'the reason', NULL)
  FROM numbers;
INSERT INTO inputs (run_id, codec, body) SELECT id, 'json', json_array(seq, 'an argument of some length') FROM runs;
INSERT INTO outputs (run_id, codec, body)
SELECT id, 'json', json_array(seq, 'an outcome of some length') FROM runs WHERE finished_at IS NOT NULL;
INSERT INTO messages (id, run_id, kind, topic, codec, body, sent_at, consumed_at, consumed_key)
SELECT 'message ' || id, id, 'message', 'answers', 'json', '1', created_at, finished_at, '1' FROM runs WHERE seq % 100 = 9;
INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body, attempts,
                         recorded_at)
SELECT id, 'first', 'claim ' || id, 'first', 0, 'step', 'app:step', '0123456789abcdef', 0, 'json', '1', 1, created_at
  FROM runs WHERE seq % 10 = 9;
INSERT INTO attributes (run_id, name, value, seq) SELECT id, 'customer', 'c' || (seq % 10000), seq FROM runs;
INSERT INTO attributes (run_id, name, value, seq) SELECT id, 'region', iif(seq % 3 = 0, 'north', 'south'), seq FROM runs;
COMMIT;
ANALYZE;
PRAGMA wal_checkpoint(TRUNCATE);
