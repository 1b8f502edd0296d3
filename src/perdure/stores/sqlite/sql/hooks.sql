-- part: shown
-- A hook, with its run's state.
hooks.token, hooks.run_id, hooks.key, hooks.topic, hooks.shape, hooks.schema, hooks.question, hooks.opened_at, hooks.due_at,
       hooks.resolved_at, hooks.closed_at, runs.state

-- name: hook_traces
-- Whose these tokens are, which messages answered them, and whether they are free again.
SELECT json_group_array(json_array(
           hooks.token, hooks.run_id, hooks.key, hooks.resolved_by, hooks.closed_at IS NOT NULL,
           hooks.closed_at IS NOT NULL OR runs.finished_at IS NOT NULL
           OR EXISTS (SELECT 1 FROM messages WHERE messages.id = hooks.resolved_by AND messages.consumed_at IS NOT NULL)))
  FROM json_each(:tokens) AS wanted
 CROSS JOIN hooks
 CROSS JOIN runs
 WHERE hooks.token = wanted.value AND runs.id = hooks.run_id;

-- name: hook
-- The hook that has this token.
SELECT json_group_array(json_array({shown}))
  FROM hooks CROSS JOIN runs WHERE hooks.token = :token AND runs.id = hooks.run_id;

-- name: hooks_of
-- The hooks that a run has opened, for people.
SELECT json_group_array(json_array({shown}))
  FROM hooks CROSS JOIN runs WHERE hooks.run_id = :run_id AND runs.id = hooks.run_id;

-- name: open_hooks
-- What waits for an answer, for people: the oldest of them.
SELECT json_group_array(json(packed))
  FROM (SELECT json_array({shown}) AS packed
          FROM hooks INDEXED BY hooks_open
         CROSS JOIN runs
         WHERE hooks.resolved_at IS NULL AND hooks.closed_at IS NULL
           AND runs.id = hooks.run_id AND runs.finished_at IS NULL
         ORDER BY hooks.opened_at LIMIT :most);
