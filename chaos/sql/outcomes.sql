-- What is recorded of the steps, under which claim, and when that was committed.
SELECT run_id, key, body, claim::text, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8
  FROM perdure.checkpoints WHERE kind = 'step' AND NOT is_error
