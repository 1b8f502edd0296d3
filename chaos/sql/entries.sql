SELECT run_id, token, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM chaos.entries
