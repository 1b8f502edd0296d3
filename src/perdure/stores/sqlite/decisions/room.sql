-- For how many runs of the queue there is room in this claim, and what is in the way of more. The worker's own limit is in
-- `slots`, its free ones; what the limits of all workers leave is in `most`. Whoever has set nothing for the queue pays one
-- look at an index.
CREATE TEMP VIEW room AS
SELECT CASE
           WHEN most IS NOT NULL THEN most
           WHEN is_paused THEN 0
           WHEN last_attempts = 'alone' AND holds_some THEN 0
           WHEN last_attempts = 'alone' THEN 1
           ELSE slots
       END AS most,
       iif(is_paused, 'paused', 'full') AS short_by, holds_some
  FROM (SELECT slots, last_attempts, most,
               EXISTS (SELECT 1 FROM queues WHERE queues.name = asked.queue AND paused_at IS NOT NULL) AS is_paused,
               EXISTS (SELECT 1 FROM runs AS mine WHERE mine.worker = asked.worker_id) AS holds_some
          FROM asked);
