-- Which functions that the worker knows have something in the queue that is ready: from name to name in the indexes, so that
-- what a program knows and nobody has asked for costs nothing, however much that is. x'FF' comes after every text.
CREATE TEMP VIEW ready_names AS
WITH RECURSIVE head (name) AS (
    VALUES ('')
     UNION ALL
    SELECT min(coalesce((SELECT min(runs.name) FROM runs
                          WHERE runs.state = 'ready' AND runs.due_at IS NULL AND runs.flow_key IS NULL
                            AND runs.queue = asked.queue AND runs.name > head.name), x'FF'),
               coalesce((SELECT min(runs.name) FROM runs
                          WHERE runs.state = 'ready' AND runs.due_at IS NULL
                            AND runs.attempts > 0 AND runs.attempts >= runs.max_attempts - 1
                            AND runs.queue = asked.queue AND runs.name > head.name), x'FF'))
      FROM head CROSS JOIN asked
     WHERE head.name < x'FF'
)
SELECT head.name AS value
  FROM head CROSS JOIN asked
 WHERE head.name > '' AND head.name < x'FF' AND head.name IN (SELECT value FROM json_each(asked.names));

-- The same of what has a time.
CREATE TEMP VIEW timed_names AS
WITH RECURSIVE head (name) AS (
    VALUES ('')
     UNION ALL
    SELECT min(coalesce((SELECT min(runs.name) FROM runs
                          WHERE runs.state = 'ready' AND runs.due_at IS NOT NULL
                            AND runs.queue = asked.queue AND runs.name > head.name), x'FF'),
               coalesce((SELECT min(runs.name) FROM runs
                          WHERE runs.state = 'parked' AND runs.due_at IS NOT NULL AND runs.stopped IS NULL
                            AND runs.queue = asked.queue AND runs.name > head.name), x'FF'))
      FROM head CROSS JOIN asked
     WHERE head.name < x'FF'
)
SELECT head.name AS value
  FROM head CROSS JOIN asked
 WHERE head.name > '' AND head.name < x'FF' AND head.name IN (SELECT value FROM json_each(asked.names));
