-- name: progress
-- How far the steps of these runs have come that have no outcome yet.
SELECT progress.run_id, progress.key, progress.name, attempt, done, total, note, extract(epoch FROM at)::float8
  FROM perdure.progress
  JOIN perdure.runs AS run ON run.id = progress.run_id
 WHERE progress.run_id = ANY (%(run_ids)s::text[]) AND run.finished_at IS NULL
   AND NOT EXISTS (SELECT 1 FROM perdure.checkpoints AS step
                    WHERE step.run_id = progress.run_id AND step.key = progress.key);
