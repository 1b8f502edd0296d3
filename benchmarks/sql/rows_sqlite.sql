-- A table like that of the checkpoints, with nothing around it.
CREATE TABLE limit_rows (run_id text NOT NULL, key INTEGER NOT NULL, body text NOT NULL, PRIMARY KEY (run_id, key));
