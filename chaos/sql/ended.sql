-- When each claim ended, by the commit of whoever ended it.
SELECT run_id, claim::text, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 FROM chaos.claims_ended
