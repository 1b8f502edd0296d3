-- name: progress
-- How far the steps of these runs have come that have no outcome yet.
SELECT json_group_array(json_array(progress.run_id, progress.key, progress.name, attempt, done, total, note, at))
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN progress
 CROSS JOIN runs
 WHERE progress.run_id = wanted.value AND runs.id = progress.run_id AND runs.finished_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM checkpoints AS step
                    WHERE step.run_id = progress.run_id AND step.key = progress.key);
