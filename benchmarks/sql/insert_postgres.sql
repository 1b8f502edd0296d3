-- One row as a checkpoint has it.
INSERT INTO limit_rows (run_id, key, body) VALUES (%s, %s, %s);
