-- A queue full of ready runs, copied from the one that is called "template" and not due.
INSERT INTO runs (id, kind, name, queue, state, priority, created_at, attempts, max_attempts, created_by, fingerprint)
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT 'waiting-' || n, kind, name, queue, 'ready', priority, created_at, attempts, max_attempts, created_by, fingerprint
  FROM numbers, runs WHERE id = 'template' ORDER BY n;
INSERT INTO inputs (run_id, codec, body)
SELECT runs.id, template.codec, template.body
  FROM runs, inputs AS template WHERE runs.id LIKE 'waiting-%' AND template.run_id = 'template';
