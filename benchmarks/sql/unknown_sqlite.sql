-- Ready runs of functions that nobody here knows: half of them in the queue that is claimed from, half in another.
INSERT INTO runs (id, kind, name, queue, state, priority, created_at, attempts, max_attempts, created_by, fingerprint)
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT 'unknown-' || n, 'step', 'gone:' || n % 10, CASE n % 2 WHEN 0 THEN 'bench' ELSE 'other' END, 'ready', -1, 0.0, 0,
       10, 'bench', 'f'
  FROM numbers;
