-- Rows of any table of a run, whatever columns it has: `{table}` and the rest is filled in from the table itself.

-- name: rows_of
-- All of these runs.
SELECT to_json(found) FROM (SELECT {columns} FROM perdure.{table}) AS found
 WHERE {key} = ANY (%(run_ids)s::text[]) ORDER BY {order};

-- name: all_rows
-- Of a table that belongs to no run.
SELECT to_json(found) FROM (SELECT {columns} FROM perdure.{table}) AS found ORDER BY {order};

-- name: stray_rows
-- Of runs that are there no more.
SELECT to_json(found) FROM (SELECT {columns} FROM perdure.{table}) AS found
 WHERE NOT EXISTS (SELECT 1 FROM perdure.runs WHERE runs.id = found.{key}) ORDER BY {order};

-- name: count_rows
-- How many there are.
SELECT json_build_object('count', count(*)) FROM perdure.{table};

-- name: forget_rows
-- What rows of another database replace.
DELETE FROM perdure.{table} WHERE {key} = ANY (%(keys)s::text[]);

-- name: insert_rows
-- All of them, in order.
INSERT INTO perdure.{table} ({columns})
SELECT {values} FROM json_populate_recordset(NULL::perdure.{table}, %(rows)s::json) AS given;

-- name: value
-- A column as it is taken.
given.{column}

-- name: value_of_run
-- The number of the run that the row is of, which is another one in each database.
(SELECT runs.seq FROM perdure.runs WHERE runs.id = given.run_id)
