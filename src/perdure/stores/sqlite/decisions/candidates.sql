-- Which runs of the queue come first, the oldest of the lowest priority: the first of each function that the worker knows,
-- merged, so that those of all others cost nothing. No floor, as on Postgres: what was taken is in no index any more,
-- whoever reads an old snapshot. What the worker's own version of the code has refused is passed by.
CREATE TEMP VIEW candidates AS
SELECT seq, id, started_at
  FROM (SELECT run.seq, run.id, run.started_at, run.priority
          FROM asked
         CROSS JOIN ready_names AS wanted
         CROSS JOIN runs AS run
         WHERE asked.last_attempts <> 'alone'
           AND run.seq IN (
                   SELECT one.seq FROM runs AS one
                    WHERE one.state = 'ready' AND one.due_at IS NULL AND one.flow_key IS NULL
                      AND one.queue = asked.queue AND one.name = wanted.value
                      AND (one.refused_by IS NULL
                           OR NOT EXISTS (SELECT 1 FROM json_each(one.refused_by) AS refused
                                           CROSS JOIN workers
                                           WHERE workers.id = asked.worker_id AND workers.version = refused.value))
                      AND (asked.last_attempts = 'beside' OR one.attempts = 0
                           OR one.attempts < one.max_attempts - 1
                           OR (SELECT steps FROM run_progress WHERE run_progress.id = one.id) > one.progress_mark)
                    ORDER BY one.priority, one.seq
                    LIMIT (SELECT most FROM room))
        UNION ALL
        SELECT run.seq, run.id, run.started_at, run.priority
          FROM asked
         CROSS JOIN ready_names AS wanted
         CROSS JOIN runs AS run
         WHERE asked.last_attempts = 'alone'
           AND run.seq IN (
                   SELECT one.seq FROM runs AS one
                    WHERE one.state = 'ready' AND one.due_at IS NULL
                      AND one.queue = asked.queue AND one.name = wanted.value
                      AND (one.refused_by IS NULL
                           OR NOT EXISTS (SELECT 1 FROM json_each(one.refused_by) AS refused
                                           CROSS JOIN workers
                                           WHERE workers.id = asked.worker_id AND workers.version = refused.value))
                      AND one.attempts > 0 AND one.attempts >= one.max_attempts - 1
                      AND (SELECT steps FROM run_progress WHERE run_progress.id = one.id) <= one.progress_mark
                    ORDER BY one.priority, one.seq
                    LIMIT (SELECT most FROM room)))
 ORDER BY priority, seq
 LIMIT (SELECT most FROM room);
