-- Runs of twenty functions and four queues, one in two hundred failed, one in two thousand ready, over thirty days; every
-- thousandth is a child of one parent, and each has a customer, of whom there are ten thousand, and a region; every
-- hundredth has received a message, every tenth recorded a step.
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
INSERT INTO perdure.outputs (run_id, codec, body)
SELECT id, 'json', '[' || seq || ', "an outcome of some length"]' FROM perdure.runs WHERE finished_at IS NOT NULL;
INSERT INTO perdure.messages (run_id, kind, topic, codec, body, consumed_at, consumed_key)
SELECT id, 'message', 'answers', 'json', '1', finished_at, '1' FROM perdure.runs WHERE seq % 100 = 9;
INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                                 attempts, recorded_at)
SELECT id, 'first', gen_random_uuid(), 'first', 0, 'step', 'app:step', '0123456789abcdef', false, 'json', '1', 1, created_at
  FROM perdure.runs WHERE seq % 10 = 9;
INSERT INTO perdure.attributes (run_id, name, value, seq) SELECT id, 'customer', 'c' || (seq % 10000), seq FROM perdure.runs;
INSERT INTO perdure.attributes (run_id, name, value, seq)
SELECT id, 'region', CASE WHEN seq % 3 = 0 THEN 'north' ELSE 'south' END, seq FROM perdure.runs;
VACUUM ANALYZE;
CHECKPOINT;
