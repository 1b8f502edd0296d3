-- Rows of any table of a run, whatever columns it has: `{table}` and the rest is filled in from the table itself.

-- name: rows_of
-- All of these runs, packed.
SELECT json_group_array(json_object({pairs}))
  FROM (SELECT * FROM {table} WHERE {key} IN (SELECT value FROM json_each(:run_ids)) ORDER BY {order});

-- name: large_rows_of
-- The same one by one, where they are too large for one value.
SELECT json_array(json_object({pairs}))
  FROM (SELECT * FROM {table} WHERE {key} IN (SELECT value FROM json_each(:run_ids)) ORDER BY {order});

-- name: all_rows
-- Of a table that belongs to no run.
SELECT json_group_array(json_object({pairs})) FROM (SELECT * FROM {table} ORDER BY {order});

-- name: stray_rows
-- Of runs that are there no more.
SELECT json_group_array(json_object({pairs}))
  FROM (SELECT * FROM {table}
         WHERE NOT EXISTS (SELECT 1 FROM runs WHERE runs.id = {table}.{key}) ORDER BY {order});

-- name: count_rows
-- How many there are.
SELECT json_array(json_object('count', count(*))) FROM {table};

-- name: forget_rows
-- What rows of another database replace.
DELETE FROM {table} WHERE {key} IN (SELECT value FROM json_each(:keys));

-- name: insert_rows
-- All of them, in order.
INSERT INTO {table} ({columns}) SELECT {values} FROM json_each(:rows) ORDER BY key;

-- name: pair
-- A column as it is given.
'{column}', {column}

-- name: time_pair
-- A time with all of its digits: as a number in JSON it has fifteen.
'{column}', iif({column} IS NULL, NULL, printf('%!.17g', {column}))

-- name: value
-- A column as it is taken.
json_extract(value, '$.{column}')

-- name: value_of_run
-- The number of the run that the row is of, which is another one in each database.
(SELECT runs.seq FROM runs WHERE runs.id = json_extract(value, '$.run_id'))
