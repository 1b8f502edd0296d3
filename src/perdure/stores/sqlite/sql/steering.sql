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

-- name: past_run
-- A run as far as it matters for a new start: what it is, how it ended, and since when somebody wanted its end.
SELECT json_group_array(json_array(
           run.id, run.kind, run.name, run.state, run.incarnation, run.worker, run.parent_id,
           (SELECT parent.finished_at IS NULL FROM runs AS parent WHERE parent.id = run.parent_id), run.finished_at,
           (SELECT sent_at FROM messages WHERE messages.run_id = run.id AND messages.kind = 'cancel'), outputs.codec,
           outputs.body))
  FROM runs AS run LEFT JOIN outputs ON outputs.run_id = run.id
 WHERE run.id = :run_id;

-- name: past_records
-- What it has recorded.
SELECT json_group_array(json_array(seq, key, kind, name, is_error, codec, body, position, claim, entry_id, recorded_at))
  FROM checkpoints WHERE run_id = :run_id GROUP BY seq / :together;

-- name: past_children
-- The runs that it has made, and how each ended.
SELECT json_group_array(json_array(run.seq, run.id, run.state, run.finished_at,
                                   EXISTS (SELECT 1 FROM messages
                                            WHERE messages.run_id = run.id AND messages.kind = 'cancel'),
                                   outputs.codec, outputs.body))
  FROM runs AS run LEFT JOIN outputs ON outputs.run_id = run.id
 WHERE run.parent_id = :run_id GROUP BY run.seq / :together;

-- name: past_undoer
-- The run that undoes what it did: its state, and how much it has recorded.
SELECT json_group_array(json_array(state, (SELECT count(*) FROM checkpoints WHERE checkpoints.run_id = runs.id)))
  FROM runs WHERE id = :undoer;

-- part: voided
-- What is written to streams by what goes, or by the workflow itself after that.
streams.run_id = :run_id AND streams.kind IN ('chunks', 'closed')
   AND (:is_whole OR streams.source IN (SELECT value FROM json_each(:dropped))
        OR (streams.source LIKE '%*' AND streams.behind >= :since))

-- name: rewind_streams
-- A row at the end of each stream says to who has read it what is void.
INSERT INTO streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, since, behind, written_at)
SELECT run_id, name,
       (SELECT tail.first + tail.count FROM streams AS tail
         WHERE tail.run_id = streams.run_id AND tail.name = streams.name ORDER BY tail.first DESC LIMIT 1)
       + row_number() OVER (PARTITION BY name ORDER BY source) - 1,
       1, 'rewound', source, 0, lower(hex(randomblob(16))), 'restart', min(first),
       coalesce((SELECT max(seq) FROM checkpoints), 0), (SELECT now FROM clock)
  FROM streams
 WHERE {voided}
 GROUP BY run_id, name, source;

-- name: void_streams
-- What was written by what goes is void.
UPDATE streams SET kind = 'void', codec = NULL, body = NULL
 WHERE {voided};

-- name: drop_records
-- These records go; what they had received waits to be received again.
DELETE FROM checkpoints WHERE run_id = :run_id AND key IN (SELECT value FROM json_each(:dropped));

-- name: return_messages
-- What was received by calls that are made again waits for them.
UPDATE messages SET consumed_at = NULL, consumed_key = NULL
 WHERE run_id = :run_id AND kind = 'message' AND consumed_key IN (SELECT value FROM json_each(:dropped));

-- name: take_back_answers
-- What was answered by calls that are made again is answered anew.
UPDATE messages SET answer = NULL, answer_key = NULL, answer_codec = NULL, answer_body = NULL
 WHERE run_id = :run_id AND kind = 'message' AND answer_key IN (SELECT value FROM json_each(:dropped));

-- name: forget_answers
-- A hook that is opened again is another one, and no answer to the former one is an answer to it.
DELETE FROM messages
 WHERE run_id = :run_id
   AND topic IN (SELECT topic FROM hooks
                  WHERE hooks.run_id = messages.run_id AND hooks.key IN (SELECT value FROM json_each(:dropped)));

-- name: forget_hooks
-- Those of calls that are made again.
DELETE FROM hooks WHERE run_id = :run_id AND key IN (SELECT value FROM json_each(:dropped));

-- name: reopen_hooks
-- These wait for an answer again.
UPDATE hooks SET closed_at = NULL WHERE run_id = :run_id AND topic IN (SELECT value FROM json_each(:reopened));

-- name: cut_order
-- What is left of rows of the order log.
UPDATE checkpoints SET body = (SELECT value FROM json_each(:order) AS part WHERE part.key = checkpoints.key)
 WHERE run_id = :run_id AND key IN (SELECT key FROM json_each(:order));

-- name: forget_cancel
-- Nobody asks for its end any more.
DELETE FROM messages WHERE run_id = :run_id AND kind = 'cancel';

-- name: forget_output
-- It has not ended, so it has given nothing.
DELETE FROM outputs WHERE run_id = :run_id;

-- name: forget_progress
-- No step of it is being executed.
DELETE FROM progress WHERE run_id = :run_id;

-- name: forget_waits
-- It waits for nobody.
DELETE FROM waits WHERE waiter = :run_id;

-- name: begin_anew
-- Ready, in its next life.
UPDATE runs
   SET state = 'ready', finished_at = NULL, due_at = NULL, waits_for = NULL, stopped = NULL, reason = NULL,
       refused_by = NULL, attempts = 0, progress_mark = 0, dedup_key = NULL, deadline_at = NULL, incarnation = incarnation + 1
 WHERE id = :run_id;

-- name: fork_row
-- A new run of the same function and queue, or of other code; begun, if there is a history to read. Its calls are named as
-- those of the other one's round.
INSERT INTO runs (id, kind, name, queue, state, priority, created_at, started_at, attempts, max_attempts, created_by,
                  fingerprint, flow_key, rounds)
SELECT :fork_id, kind, coalesce(:name, name), queue, 'ready', priority, (SELECT now FROM clock),
       iif(:kept = '[]', NULL, (SELECT now FROM clock)), 0,
       coalesce(:max_attempts, max_attempts), :fork_id, coalesce(:fingerprint, fingerprint), flow_key, rounds
  FROM runs WHERE id = :run_id AND NOT EXISTS (SELECT 1 FROM runs AS taken WHERE taken.id = :fork_id);

-- name: fork_input
-- With the same arguments, or others.
INSERT INTO inputs (run_id, codec, body)
SELECT :fork_id, coalesce(:codec, codec), coalesce(:body, body) FROM inputs WHERE run_id = :run_id;

-- name: fork_records
-- What it has recorded up to the fork. What was to be undone of it is the other run's to undo.
INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body, attempts,
                         started_at, arguments, recorded_at)
SELECT :fork_id, one.key, claim, entry_id, position, kind, name, fingerprint, is_error OR kind = 'undo', codec,
       coalesce((SELECT part.value FROM json_each(:order) AS part WHERE part.key = one.key), body), attempts, started_at,
       arguments, recorded_at
  FROM json_each(:kept) AS kept CROSS JOIN checkpoints AS one
 WHERE one.run_id = :run_id AND one.key = kept.value
 ORDER BY kept.key;

-- name: fork_streams
-- Streams, as far as they were written by what it has; at the offsets that they have there.
INSERT INTO streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, since, behind, codec, body,
                     written_at)
SELECT :fork_id, name, first, count, iif(is_kept, kind, 'void'), source, attempt, claim, entry_id, since, 0,
       iif(is_kept, codec, NULL), iif(is_kept, body, NULL), written_at
  FROM (SELECT streams.*, kind IN ('rewound', 'void') OR source IN (SELECT value FROM json_each(:kept))
               OR (source LIKE '%*' AND behind < coalesce(:since, 9e18)) AS is_kept
          FROM streams WHERE run_id = :run_id AND :kept <> '[]') AS written;

-- name: fork_attributes
-- It is found as the other one is, and by where it comes from.
INSERT INTO attributes (run_id, name, value, seq)
SELECT :fork_id, name, value, (SELECT seq FROM runs WHERE id = :fork_id)
  FROM attributes WHERE run_id = :run_id AND name <> 'forked_from'
UNION ALL SELECT :fork_id, 'forked_from', :run_id, (SELECT seq FROM runs WHERE id = :fork_id);

-- name: free_among
-- Those of these runs that no unfinished run has made.
SELECT json_group_array(json_array(runs.id))
  FROM json_each(:run_ids) AS one CROSS JOIN runs
 WHERE runs.id = one.value
   AND NOT EXISTS (SELECT 1 FROM runs AS parent WHERE parent.id = runs.parent_id AND parent.finished_at IS NULL);

-- name: last_seq
-- Up to where it has recorded.
SELECT json_group_array(json_array(last)) FROM (SELECT max(seq) AS last FROM checkpoints WHERE run_id = :run_id);
