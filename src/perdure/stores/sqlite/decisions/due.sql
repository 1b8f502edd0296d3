-- Delayed runs and sleepers whose time has come, of functions that the worker knows: others cost nothing, and stay where
-- they are. Bounded, the next claim takes the rest.
CREATE TEMP VIEW due AS
SELECT run.seq
  FROM asked
 CROSS JOIN timed_names AS wanted
 CROSS JOIN runs AS run
 WHERE run.state = 'ready' AND run.due_at IS NOT NULL
   AND run.queue = asked.queue AND run.name = wanted.value AND run.due_at <= (SELECT now FROM clock)
UNION ALL
SELECT run.seq
  FROM asked
 CROSS JOIN timed_names AS wanted
 CROSS JOIN runs AS run
 WHERE run.state = 'parked' AND run.due_at IS NOT NULL AND run.stopped IS NULL
   AND run.queue = asked.queue AND run.name = wanted.value AND run.due_at <= (SELECT now FROM clock)
   AND NOT EXISTS (SELECT 1 FROM messages WHERE messages.run_id = run.id AND messages.kind = 'cancel')
 LIMIT 1000;
