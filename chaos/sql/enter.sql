INSERT INTO chaos.entries (run_id, token) VALUES (%s, %s)
