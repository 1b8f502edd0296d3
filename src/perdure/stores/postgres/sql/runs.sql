-- name: demand
-- The fence, as the first statement of a batch.
SELECT perdure.demand(%(worker_id)s::uuid, %(expected)s::bigint);

-- name: fence
-- The same, for who asks.
SELECT perdure.fence(%(worker_id)s::uuid, %(expected)s::bigint);

-- name: lock_held
-- Where claims end in several ways, all their rows are locked first, in one order.
SELECT perdure.lock_held(%(worker_id)s::uuid, %(entries)s::json);

-- name: write_section
-- All entries of one kind or none: the function of the section's own name.
SELECT perdure.write_section(%(worker_id)s::uuid, %(entries)s::json);

-- name: lock_runs
-- The verdicts on what is to become of these stay true until the commit. Only of what is held under the batch's own
-- claims: a claim that has ended never comes back, and who claims the run meanwhile would pass a locked row by.
SELECT id FROM perdure.runs
 WHERE id IN (SELECT json_array_elements_text(%(run_ids)s::json))
   AND claim IN (SELECT json_array_elements_text(%(claims)s::json)::uuid)
 ORDER BY id FOR NO KEY UPDATE;

-- name: run_traces
-- What has become of these runs, for the verdict on an entry that changed nothing.
SELECT id, name, fingerprint, state, worker::text, claim::text, created_by, finished_by::text, last_claim::text,
       last_state, reason
  FROM perdure.runs
 WHERE id IN (SELECT json_array_elements_text(%(run_ids)s::json));

-- name: key_holders
-- Which runs have these keys of these queues now.
SELECT holder.queue, holder.dedup_key, holder.id, holder.name, holder.fingerprint, holder.state,
       coalesce(holder.dedup_until_start, false), holder.created_by
  FROM json_array_elements(%(keys)s::json) AS wanted
 CROSS JOIN LATERAL (SELECT * FROM perdure.runs
                      WHERE queue = wanted ->> 0 AND dedup_key = wanted ->> 1 AND finished_at IS NULL
                        AND (dedup_until_start IS NOT TRUE OR started_at IS NULL) OFFSET 0) AS holder;

-- name: held_claims
-- Which of these claims this worker still has.
SELECT claim::text FROM perdure.runs
 WHERE worker = %(worker_id)s::uuid AND claim IN (SELECT json_array_elements_text(%(claims)s::json)::uuid)
   AND state = 'held';

-- name: claim_runs
-- The fence, what is due or woken, and the first runs of each queue.
SELECT nth, id, kind, name, queue, priority, codec, body, attempts, max_attempts, is_fresh, parent_id, parent_key,
       is_cancelled, claimed_at, incarnation, deadline_at, is_detached, rounds, seq
  FROM perdure.claim_runs(%(worker_id)s::uuid, %(expected)s, %(queues)s::text[], %(slots)s::integer[],
                          %(names)s::text[], %(claims)s::uuid[], %(last_attempts)s, %(floors)s::json,
                          %(resuming)s::json);

-- name: hand_back_runs
-- Uncharged: what this worker holds and does not know of (rule 5).
SELECT perdure.reconcile(%(worker_id)s::uuid, %(expected)s, %(known)s::text[]);

-- name: mend_runs
-- Newly registered code may fit runs that were parked because the old one did not.
WITH mended AS MATERIALIZED (
    SELECT id FROM perdure.runs WHERE state = 'parked' AND stopped = 'mend' AND name = ANY (%(names)s::text[])
     ORDER BY id FOR NO KEY UPDATE
)
UPDATE perdure.runs
   SET state = 'ready', stopped = NULL, due_at = NULL, waits_for = NULL, reason = NULL, refused_by = NULL
  FROM mended
 WHERE runs.id = mended.id
RETURNING runs.id;

-- name: reconsider_runs
-- What some version of the code has refused may be for this one, or for nobody any more.
SELECT perdure.reconsider(%(worker_id)s::uuid, %(queues)s::text[], %(names)s::text[]);

-- name: explain_unknown_runs
-- Nobody here can execute them: say so where people look.
SELECT perdure.explain_unknown(%(queues)s::text[], %(names)s::text[], %(reason)s);

-- part: as_claimed
-- As a claim gives a run, but nothing is taken.
SELECT runs.seq, runs.id, runs.kind, runs.name, runs.queue, runs.priority, inputs.codec, inputs.body, runs.attempts,
       runs.max_attempts, runs.started_at IS NULL, runs.parent_id, runs.parent_key,
       EXISTS (SELECT 1 FROM perdure.messages WHERE messages.run_id = runs.id AND messages.kind = 'cancel'),
       extract(epoch FROM perdure.now())::float8, runs.incarnation, extract(epoch FROM runs.deadline_at)::float8,
       runs.is_detached, runs.rounds
  FROM perdure.runs
  JOIN perdure.inputs ON inputs.run_id = runs.id;

-- name: unfinished_runs
-- What a program has to be able to go on with, in order.
{as_claimed}
 WHERE runs.finished_at IS NULL AND runs.seq > %(after)s::bigint
 ORDER BY runs.seq LIMIT %(most)s;

-- name: run_to_ask
-- A run whose code is to say how it stands, whatever its state.
{as_claimed}
 WHERE runs.id = %(run_id)s;

-- name: run
-- One run, as anybody may see it.
SELECT id, kind, name, (SELECT state FROM perdure.run_view WHERE run_view.id = runs.id), queue, fingerprint, attempts, extract(epoch FROM created_at)::float8,
       extract(epoch FROM due_at)::float8, extract(epoch FROM started_at)::float8,
       extract(epoch FROM finished_at)::float8, parent_id, parent_key, worker::text, reason, stopped
  FROM perdure.runs
 WHERE id = %(run_id)s;

-- name: history_children
-- The runs that these runs have made, in order of creation; of their arguments the beginning, for people.
SELECT parent_id, id, parent_key, name, fingerprint, state,
       (SELECT left(body, 201) FROM perdure.inputs WHERE run_id = runs.id AND codec = 'json')
  FROM perdure.runs WHERE parent_id = ANY (%(run_ids)s::text[]) ORDER BY seq;

-- name: ended_runs
-- Which of the awaited runs have ended, and with what.
SELECT runs.id, runs.state, outputs.codec, outputs.body, runs.reason
  FROM perdure.runs
  LEFT JOIN perdure.outputs ON outputs.run_id = runs.id
 WHERE runs.id = ANY (%(run_ids)s::text[]) AND runs.finished_at IS NOT NULL;

-- name: stuck_runs
-- Which of the awaited runs wait for people, and why: who waits for them is told instead of waiting for ever.
SELECT id, reason FROM perdure.runs WHERE id = ANY (%(run_ids)s::text[]) AND state = 'parked' AND stopped IN ('mend', 'retries');

-- name: pulse
-- The bounded poll: whether the mailbox has something for this worker or for anybody, whether anything is claimable, when
-- what is next due.
SELECT has_mail, has_claimable, has_last_attempts, next_due_at, has_overdue, has_schedules, moment, limits, paused,
       has_questions
  FROM perdure.pulse(%(worker_id)s::uuid, %(queues)s::text[], %(names)s::text[], %(floors)s::json);

-- name: locked_among
-- Of these runs, those whose rows somebody has locked, after a batch has waited for one in vain.
WITH free AS MATERIALIZED (
    SELECT id FROM perdure.runs WHERE id = ANY (%(run_ids)s::text[]) FOR NO KEY UPDATE SKIP LOCKED
)
SELECT id FROM perdure.runs WHERE id = ANY (%(run_ids)s::text[]) AND id NOT IN (SELECT id FROM free);
