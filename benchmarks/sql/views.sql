-- by SQL: one run
SELECT * FROM run_view WHERE id = 'run-000001234';
-- by SQL: what one run has recorded
SELECT * FROM step_view WHERE run_id = 'run-000001234';
-- by SQL: the newest
SELECT id, name, state, created_at FROM run_view ORDER BY seq DESC LIMIT 50;
-- by SQL: the newest of one workflow
SELECT id, state, created_at FROM run_view WHERE name = 'app:work7' ORDER BY seq DESC LIMIT 50;
-- by SQL: the newest that went wrong
SELECT id, name, state, reason, output FROM run_view WHERE went_wrong ORDER BY seq DESC LIMIT 50;
-- by SQL: children of one run
SELECT id, state FROM run_view WHERE parent_id = 'run-000000001' ORDER BY seq DESC LIMIT 50;
-- by SQL: what has not ended, counted
SELECT state, queue, name, count(*), min(created_at) FROM run_view WHERE is_unfinished GROUP BY state, queue, name;
