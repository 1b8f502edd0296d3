SELECT id, state, reason, output,
       (SELECT extract(epoch FROM pg_xact_commit_timestamp(outputs.xmin))::float8
          FROM perdure.outputs WHERE outputs.run_id = id),
       parent_id IS NULL
  FROM perdure.run_view
