-- part: shown
-- A hook, with its run's state.
hooks.token, hooks.run_id, hooks.key, hooks.topic, hooks.shape, hooks.schema, hooks.question,
       extract(epoch FROM hooks.opened_at)::float8, extract(epoch FROM hooks.due_at)::float8,
       extract(epoch FROM hooks.resolved_at)::float8, extract(epoch FROM hooks.closed_at)::float8, runs.state

-- name: hook_traces
-- Whose these tokens are, which messages answered them, and whether they are free again.
SELECT hooks.token, hooks.run_id, hooks.key, hooks.resolved_by::text, hooks.closed_at IS NOT NULL,
       hooks.closed_at IS NOT NULL OR runs.finished_at IS NOT NULL
       OR EXISTS (SELECT 1 FROM perdure.messages
                   WHERE messages.id = hooks.resolved_by AND messages.consumed_at IS NOT NULL)
  FROM perdure.hooks JOIN perdure.runs ON runs.id = hooks.run_id
 WHERE hooks.token IN (SELECT json_array_elements_text(%(tokens)s::json));

-- name: hook
-- The hook that has this token.
SELECT {shown} FROM perdure.hooks JOIN perdure.runs ON runs.id = hooks.run_id WHERE hooks.token = %(token)s;

-- name: hooks_of
-- The hooks that a run has opened, for people.
SELECT {shown} FROM perdure.hooks JOIN perdure.runs ON runs.id = hooks.run_id WHERE hooks.run_id = %(run_id)s;

-- name: open_hooks
-- What waits for an answer, for people: the oldest of them.
SELECT {shown}
  FROM perdure.hooks JOIN perdure.runs ON runs.id = hooks.run_id
 WHERE hooks.resolved_at IS NULL AND hooks.closed_at IS NULL AND runs.finished_at IS NULL
 ORDER BY hooks.opened_at LIMIT %(most)s;
