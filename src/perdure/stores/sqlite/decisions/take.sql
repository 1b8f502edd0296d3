-- What is taken: the candidates, as JSON, each with what cannot be seen of it any more once it is held.
CREATE TEMP VIEW taking AS
SELECT json_group_array(json_array(
           seq, started_at IS NULL,
           iif(started_at IS NULL, 0, (SELECT steps FROM run_progress WHERE run_progress.id = candidates.id)),
           (SELECT last_attempts = 'beside' FROM asked) OR (SELECT holds_some FROM room))) AS all_of_them
  FROM candidates;

-- Why the queue gave less than was asked; NULL where it did not.
CREATE TEMP VIEW shortage AS
SELECT CASE
           WHEN asked.is_shared THEN asked.short_by
           WHEN json_array_length(asked.taken) >= asked.slots THEN NULL
           WHEN json_array_length(asked.taken) < least_of.most THEN 'empty'
           ELSE least_of.short_by
       END AS short_by, asked.resumed,
       CASE WHEN asked.short_by = 'rate' THEN coalesce(asked.opens_at, asked.moment) - asked.moment END AS opens_in,
       coalesce(asked.ended, '[]') AS ended, coalesce(asked.has_cancelled, 0) AS has_cancelled
  FROM asked CROSS JOIN room AS least_of;
