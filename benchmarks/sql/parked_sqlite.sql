-- Runs that wait for a child, copied from the one that is called "template"; the children are held by nobody.
INSERT INTO runs (id, kind, name, queue, state, priority, created_at, attempts, max_attempts, created_by, fingerprint,
                  waits_for)
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT 'parked-' || n || '-:count', kind, name, queue, 'parked', priority, created_at, attempts, max_attempts, created_by,
       fingerprint, '[{"kind": "children", "what": "", "seen": 0}]'
  FROM numbers, runs WHERE id = 'template' ORDER BY n;
INSERT INTO inputs (run_id, codec, body)
SELECT runs.id, template.codec, template.body
  FROM runs, inputs AS template WHERE runs.id LIKE 'parked-%-:count' AND template.run_id = 'template';
PRAGMA wal_checkpoint(TRUNCATE);
