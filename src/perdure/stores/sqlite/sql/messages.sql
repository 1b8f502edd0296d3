-- name: cancel_runs
-- Rule 8 in one statement; the write lock keeps a finish from passing by. What had ended, or does not exist, is not
-- among the answers.
INSERT INTO messages (id, run_id, kind, sent_at)
SELECT lower(hex(randomblob(16))), runs.id, 'cancel', (SELECT now FROM clock)
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN runs
 WHERE runs.id = wanted.value AND runs.finished_at IS NULL
ON CONFLICT (run_id) WHERE kind = 'cancel' DO UPDATE SET kind = excluded.kind
RETURNING run_id;

-- name: cancelled_among
-- An acknowledged cancel decides how these runs end.
SELECT json_group_array(json_array(messages.run_id))
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN messages
 WHERE messages.run_id = wanted.value AND messages.kind = 'cancel';

-- name: has_open_cancels
-- Most of the time there is nothing to sweep, and looking takes no write lock.
SELECT EXISTS (SELECT 1
                 FROM messages
                CROSS JOIN runs
                WHERE messages.consumed_at IS NULL AND messages.kind = 'cancel'
                  AND runs.id = messages.run_id AND runs.state IN ('ready', 'parked'));

-- name: pass_cancel_on
-- A cancelled run takes its unfinished children with it.
INSERT INTO messages (id, run_id, kind, sent_at)
SELECT lower(hex(randomblob(16))), child.id, 'cancel', (SELECT now FROM clock)
  FROM json_each(:run_ids) AS ended
 CROSS JOIN runs AS child
 WHERE child.parent_id = ended.value AND child.finished_at IS NULL AND NOT child.is_detached
ON CONFLICT (run_id) WHERE kind = 'cancel' DO NOTHING;

-- name: consume_cancels
-- The runs have ended: what is left open stays a short list.
UPDATE messages SET consumed_at = (SELECT now FROM clock)
 WHERE kind = 'cancel' AND run_id IN (SELECT value FROM json_each(:run_ids));

-- name: note_overdue
-- One whose deadline has passed has ended by that, whoever else asked for its end.
UPDATE runs SET reason = 'its deadline has passed'
 WHERE id IN (SELECT value FROM json_each(:run_ids)) AND deadline_at <= finished_at;

-- name: expire_runs
-- Rule 8: runs whose deadline has passed get their cancel; then they end as every cancelled run does. Bounded, the next
-- round takes the rest.
INSERT INTO messages (id, run_id, kind, sent_at)
SELECT lower(hex(randomblob(16))), id, 'cancel', (SELECT now FROM clock)
  FROM (SELECT id FROM runs
         WHERE deadline_at IS NOT NULL AND finished_at IS NULL AND deadline_at <= (SELECT now FROM clock)
           AND NOT EXISTS (SELECT 1 FROM messages AS told WHERE told.run_id = runs.id AND told.kind = 'cancel')
         ORDER BY deadline_at LIMIT 1000)
 WHERE TRUE
ON CONFLICT (run_id) WHERE kind = 'cancel' DO NOTHING
RETURNING run_id;

-- name: message_traces
-- Which of these messages were sent, and by which call each was received.
SELECT json_group_array(json_array(messages.id, messages.consumed_key))
  FROM json_each(:message_ids) AS wanted
 CROSS JOIN messages
 WHERE messages.id = wanted.value;

-- name: waiting_messages
-- What waits to be received by these runs, of one topic each: the first of it, in order.
SELECT json_group_array(json_array(message.seq, wanted.key, message.id, message.codec, message.body))
  FROM json_each(:wanted) AS wanted
 CROSS JOIN messages AS message
 WHERE message.seq IN (SELECT seq FROM messages
                        WHERE run_id = json_extract(wanted.value, '$[0]') AND topic = json_extract(wanted.value, '$[1]')
                          AND kind = 'message' AND consumed_at IS NULL
                        ORDER BY seq LIMIT :most)
 GROUP BY message.seq / :together;
