-- Ready runs of functions that nobody here knows: half of them in the queue that is claimed from, half in another.
INSERT INTO perdure.runs (id, kind, name, queue, state, priority, attempts, max_attempts, created_by, fingerprint)
SELECT 'unknown-' || n, 'step', 'gone:' || n % 10, CASE n % 2 WHEN 0 THEN 'bench' ELSE 'other' END, 'ready', -1, 0, 10,
       'bench', 'f'
  FROM generate_series(1, :count) AS n;
ANALYZE perdure.runs;
