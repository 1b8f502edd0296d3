-- Runs that wait for a child, copied from the one that is called "template"; the children are held by nobody.
INSERT INTO perdure.runs (id, kind, name, queue, state, priority, attempts, max_attempts, created_by, fingerprint, waits_for)
SELECT 'parked-' || n || '-:count', kind, name, queue, 'parked', priority, attempts, max_attempts, created_by, fingerprint,
       '[{"kind": "children", "what": "", "seen": 0}]'
  FROM perdure.runs, generate_series(1, :count) AS n WHERE id = 'template' ORDER BY n;
INSERT INTO perdure.inputs (run_id, codec, body)
SELECT 'parked-' || n || '-:count', codec, body
  FROM perdure.inputs, generate_series(1, :count) AS n WHERE run_id = 'template';
ANALYZE perdure.runs;
