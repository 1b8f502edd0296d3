-- name: cancel_runs
-- Rule 8 in one statement: the share locks, taken in one order, keep a finish from passing by. What had ended, or does not
-- exist, is not among the answers.
WITH target AS MATERIALIZED (
    SELECT id, worker FROM perdure.runs
     WHERE id = ANY (%(run_ids)s::text[]) AND finished_at IS NULL ORDER BY id FOR SHARE
), told AS (
    INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM target
)
INSERT INTO perdure.messages (run_id, kind) SELECT id, 'cancel' FROM target
ON CONFLICT (run_id) WHERE kind = 'cancel' DO UPDATE SET kind = excluded.kind
RETURNING run_id;

-- name: cancelled_among
-- An acknowledged cancel decides how these runs end.
SELECT run_id FROM perdure.messages
 WHERE kind = 'cancel' AND run_id IN (SELECT json_array_elements_text(%(run_ids)s::json));

-- name: has_open_cancels
-- Most of the time there is nothing to sweep, and looking locks nothing.
SELECT perdure.has_open_cancels();

-- name: sweep_cancelled_runs
-- Nobody holds them, so nobody's code is needed to end them.
SELECT perdure.sweep_cancelled();

-- name: expire_runs
-- Runs whose deadline has passed get their cancel.
SELECT perdure.expire();

-- name: message_traces
-- Which of these messages were sent, and by which call each was received.
SELECT id::text, consumed_key
  FROM perdure.messages
 WHERE id IN (SELECT json_array_elements_text(%(message_ids)s::json)::uuid);

-- name: waiting_messages
-- What waits to be received by these runs, of one topic each: the first of it, in order.
SELECT (wanted.place - 1)::integer, message.id::text, message.codec, message.body
  FROM json_array_elements(%(wanted)s::json) WITH ORDINALITY AS wanted (pair, place)
 CROSS JOIN LATERAL (SELECT seq, id, codec, body FROM perdure.messages
                      WHERE run_id = wanted.pair ->> 0 AND topic = wanted.pair ->> 1 AND kind = 'message'
                        AND consumed_at IS NULL
                      ORDER BY seq LIMIT %(most)s) AS message
 ORDER BY wanted.place, message.seq;
