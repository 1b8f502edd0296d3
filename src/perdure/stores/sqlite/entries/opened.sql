-- Checkpoints like all others, and the hooks that they open. A token is free again when its hook is over: closed, its
-- answer received, or its run ended; and to the very call that has opened it, of a run that is started anew. To that, and
-- to one that goes on as a new one, the answer to its former life is nothing.
CREATE TEMP TRIGGER write_opened INSTEAD OF INSERT ON section WHEN NEW.kind = 'opened'
BEGIN
    INSERT INTO section (kind, worker_id, entries) VALUES ('recorded', NEW.worker_id, NEW.entries);
    DELETE FROM messages
     WHERE id IN (SELECT messages.id
                    FROM json_each(NEW.entries) AS entry
                   CROSS JOIN messages
                   WHERE messages.run_id = json_extract(entry.value, '$.run_id')
                     AND messages.topic = json_extract(entry.value, '$.topic')
                     AND messages.kind = 'message' AND messages.consumed_at IS NULL);
    INSERT INTO hooks (token, run_id, key, topic, shape, schema, question, due_at, opened_at)
    SELECT json_extract(entry, '$.token'), json_extract(entry, '$.run_id'), json_extract(entry, '$.key'),
           json_extract(entry, '$.topic'), json_extract(entry, '$.shape'), json_extract(entry, '$.schema'),
           json_extract(entry, '$.question'),
           json_extract(entry, '$.due_at'), (SELECT now FROM clock)
      FROM (SELECT value AS entry FROM json_each(NEW.entries) LIMIT -1 OFFSET 0)
     WHERE TRUE
    ON CONFLICT (token) DO UPDATE
       SET run_id = excluded.run_id, key = excluded.key, topic = excluded.topic, shape = excluded.shape,
           schema = excluded.schema, question = excluded.question, due_at = excluded.due_at, opened_at = excluded.opened_at,
           resolved_at = NULL, resolved_by = NULL, closed_at = NULL
     WHERE hooks.closed_at IS NOT NULL
        OR (hooks.run_id = excluded.run_id AND hooks.key = excluded.key)
        OR EXISTS (SELECT 1 FROM runs WHERE runs.id = hooks.run_id AND runs.finished_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM messages WHERE messages.id = hooks.resolved_by AND messages.consumed_at IS NOT NULL);
    SELECT RAISE(ABORT, 'the token of a hook is taken')
     WHERE changes() <> json_array_length(NEW.entries);
END;
