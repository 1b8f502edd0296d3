-- name: unfinished_among
-- Which of these runs have not ended.
SELECT json_group_array(json_array(runs.id))
  FROM json_each(:run_ids) AS wanted CROSS JOIN runs
 WHERE runs.id = wanted.value AND runs.finished_at IS NULL;

-- name: ask_for_pauses
-- Stop these runs at their next durable call. What a run is told it finds in the mailbox.
INSERT INTO messages (id, run_id, kind, sent_at)
SELECT lower(hex(randomblob(16))), value, 'pause', (SELECT now FROM clock) FROM json_each(:run_ids) WHERE true
ON CONFLICT (run_id) WHERE kind = 'pause' AND consumed_at IS NULL DO NOTHING;

-- name: stopped_among
-- Which of these runs are paused, or are to be, or have used up their retries.
SELECT json_group_array(json_array(runs.id))
  FROM json_each(:run_ids) AS wanted CROSS JOIN runs
 WHERE runs.id = wanted.value AND runs.finished_at IS NULL
   AND (runs.stopped IN ('paused', 'retries')
        OR EXISTS (SELECT 1 FROM messages
                    WHERE messages.run_id = runs.id AND messages.kind = 'pause' AND messages.consumed_at IS NULL));

-- name: end_pauses
-- Nobody asks for the pause of these runs any more.
UPDATE messages SET consumed_at = (SELECT now FROM clock)
 WHERE kind = 'pause' AND consumed_at IS NULL AND run_id IN (SELECT value FROM json_each(:run_ids));

-- name: go_on_trying
-- Those of these runs whose retries were used up go on.
UPDATE runs SET state = 'ready', stopped = NULL, reason = NULL, due_at = NULL, waits_for = NULL
 WHERE id IN (SELECT value FROM json_each(:run_ids)) AND stopped = 'retries';

-- name: tell_steered
-- These runs are to be looked at once more, by whoever holds them.
INSERT INTO wakes (run_id, worker)
SELECT runs.id, runs.worker FROM json_each(:run_ids) AS told CROSS JOIN runs WHERE runs.id = told.value;

-- name: note_steered
-- Who has done what to these runs.
INSERT INTO audit (at, who, action, run_id, detail)
SELECT (SELECT now FROM clock), :who, :action, value, :detail FROM json_each(:run_ids);

-- name: audit_of
-- Who has steered the run.
SELECT json_group_array(json_array(seq, at, who, action, detail))
  FROM (SELECT * FROM audit WHERE run_id = :run_id ORDER BY seq LIMIT :most) AS first;
