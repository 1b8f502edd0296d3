-- Finished runs with all their rows, copied from the one that is called "template".
INSERT INTO runs (id, kind, name, queue, state, priority, created_at, started_at, finished_at, attempts, max_attempts,
                  finished_by, last_claim, last_state, created_by, fingerprint)
  WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < :count)
SELECT 'finished-' || n, kind, name, queue, state, priority, created_at, started_at, finished_at, attempts, max_attempts,
       finished_by, last_claim, last_state, created_by, fingerprint
  FROM numbers, runs WHERE id = 'template';
INSERT INTO inputs (run_id, codec, body)
SELECT runs.id, template.codec, template.body
  FROM runs, inputs AS template WHERE runs.id LIKE 'finished-%' AND template.run_id = 'template';
INSERT INTO outputs (run_id, codec, body)
SELECT runs.id, template.codec, template.body
  FROM runs, outputs AS template WHERE runs.id LIKE 'finished-%' AND template.run_id = 'template';
INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body, attempts,
                         started_at, recorded_at)
SELECT runs.id, key, template.claim, entry_id, position, template.kind, template.name, template.fingerprint, is_error,
       codec, body, template.attempts, template.started_at, recorded_at
  FROM runs, checkpoints AS template WHERE runs.id LIKE 'finished-%' AND template.run_id = 'template';
PRAGMA wal_checkpoint(TRUNCATE);
