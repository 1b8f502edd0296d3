-- name: steer_cancels
-- `cancel_runs`, with who asks.
WITH target AS MATERIALIZED (
    SELECT id, worker FROM perdure.runs
     WHERE id = ANY (%(run_ids)s::text[]) AND finished_at IS NULL ORDER BY id FOR SHARE
), told AS (
    INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM target
), audited AS (
    INSERT INTO perdure.audit (who, action, run_id, detail)
    SELECT given.who, 'cancel', target.id, given.detail
      FROM target CROSS JOIN (VALUES (%(who)s::text, %(detail)s::text)) AS given (who, detail)
)
INSERT INTO perdure.messages (run_id, kind) SELECT id, 'cancel' FROM target
ON CONFLICT (run_id) WHERE kind = 'cancel' DO UPDATE SET kind = excluded.kind
RETURNING run_id;

-- name: pause_runs
-- Stop these runs at their next durable call. Those that had not ended.
SELECT perdure.pause_runs(%(run_ids)s::text[], %(who)s, %(detail)s);

-- name: resume_runs
-- Let those of them go on that are paused, or whose retries were used up.
SELECT perdure.resume_runs(%(run_ids)s::text[], %(who)s, %(detail)s);

-- name: audit_of
-- Who has steered the run.
SELECT extract(epoch FROM at)::float8, who, action, detail
  FROM perdure.audit WHERE run_id = %(run_id)s ORDER BY seq LIMIT %(most)s;

-- name: past_run
-- A run as far as it matters for a new start: what it is, how it ended, and since when somebody wanted its end.
SELECT run.id, run.kind, run.name, run.state, run.incarnation, run.worker::text, run.parent_id,
       (SELECT parent.finished_at IS NULL FROM perdure.runs AS parent WHERE parent.id = run.parent_id),
       extract(epoch FROM run.finished_at)::float8,
       (SELECT extract(epoch FROM sent_at)::float8 FROM perdure.messages
         WHERE messages.run_id = run.id AND kind = 'cancel'),
       outputs.codec, outputs.body
  FROM perdure.runs AS run LEFT JOIN perdure.outputs ON outputs.run_id = run.id
 WHERE run.id = %(run_id)s;

-- name: past_records
-- What it has recorded.
SELECT seq, key, kind, name, is_error, codec, body, position, claim::text, entry_id,
       extract(epoch FROM recorded_at)::float8
  FROM perdure.checkpoints WHERE run_id = %(run_id)s ORDER BY seq;

-- name: past_children
-- The runs that it has made, and how each ended.
SELECT run.id, run.state, extract(epoch FROM run.finished_at)::float8,
       EXISTS (SELECT 1 FROM perdure.messages WHERE messages.run_id = run.id AND messages.kind = 'cancel'),
       outputs.codec, outputs.body
  FROM perdure.runs AS run LEFT JOIN perdure.outputs ON outputs.run_id = run.id
 WHERE run.parent_id = %(run_id)s ORDER BY run.seq;

-- name: past_undoer
-- The run that undoes what it did: its state, and how much it has recorded.
SELECT state, (SELECT count(*) FROM perdure.checkpoints WHERE checkpoints.run_id = runs.id)
  FROM perdure.runs WHERE id = %(undoer)s;

-- name: restart_runs
-- Start runs anew as they were planned; false where something has changed since.
SELECT perdure.restart_runs(%(plans)s::json, %(who)s, %(action)s, %(detail)s);

-- name: fork_run
-- A new run of what another one has recorded.
SELECT perdure.fork_run(%(plan)s::json, %(who)s, %(detail)s);

-- name: delete_runs
-- Take these runs away, with all that belongs to them.
SELECT deleted, total FROM perdure.delete_runs(%(run_ids)s::text[], %(who)s, %(detail)s);
