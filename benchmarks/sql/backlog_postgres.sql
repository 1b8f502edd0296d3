-- A queue full of ready runs, copied from the one that is called "template" and not due.
INSERT INTO perdure.runs (id, kind, name, queue, state, priority, attempts, max_attempts, created_by, fingerprint)
SELECT 'waiting-' || n, kind, name, queue, 'ready', priority, attempts, max_attempts, created_by, fingerprint
  FROM perdure.runs, generate_series(1, :count) AS n WHERE id = 'template' ORDER BY n;
INSERT INTO perdure.inputs (run_id, codec, body)
SELECT 'waiting-' || n, codec, body FROM perdure.inputs, generate_series(1, :count) AS n WHERE run_id = 'template';
ANALYZE perdure.runs;
