-- Runs that have not begun and for which there is no room: by key where the keys have a limit of their own.
CREATE TEMP VIEW waiting_over AS
SELECT runs.seq, runs.id, runs.flow_key AS key
  FROM full_keys CROSS JOIN asked CROSS JOIN queues CROSS JOIN runs
 WHERE queues.name = asked.queue AND key_concurrency IS NOT NULL
   AND runs.state = 'ready' AND runs.due_at IS NULL AND runs.flow_key IS NOT NULL
   AND runs.queue = asked.queue AND runs.flow_key = full_keys.key
   AND runs.started_at IS NULL AND runs.seq NOT IN (SELECT run FROM picks)
UNION ALL
SELECT runs.seq, runs.id, NULL
  FROM asked CROSS JOIN queues CROSS JOIN runs
 WHERE queues.name = asked.queue AND key_concurrency IS NULL AND asked.free <= (SELECT count(*) FROM picks)
   AND runs.state = 'ready' AND runs.due_at IS NULL AND runs.flow_key IS NULL AND runs.queue = asked.queue
   AND runs.started_at IS NULL AND runs.seq NOT IN (SELECT run FROM picks)
UNION ALL
SELECT runs.seq, runs.id, NULL
  FROM asked CROSS JOIN queues CROSS JOIN runs
 WHERE queues.name = asked.queue AND key_concurrency IS NULL AND asked.free <= (SELECT count(*) FROM picks)
   AND runs.state = 'ready' AND runs.due_at IS NULL AND runs.flow_key IS NOT NULL AND runs.queue = asked.queue
   AND runs.started_at IS NULL AND runs.seq NOT IN (SELECT run FROM picks);

-- What a queue that is full does with the rest, where it is not to wait: `cancel_newest` ends what has not begun,
-- `cancel_running` cancels the oldest that are held, as many as newer ones wait. At most a thousand at once.
CREATE TEMP VIEW overflow AS SELECT NULL AS how WHERE FALSE;
CREATE TEMP TRIGGER cancel_newest INSTEAD OF INSERT ON overflow WHEN NEW.how = 'cancel_newest'
BEGIN
    UPDATE asked SET ended = (SELECT json_group_array(id) FROM (SELECT id FROM waiting_over LIMIT 1000));
    UPDATE runs
       SET state = 'cancelled', finished_at = (SELECT now FROM clock),
           reason = printf('overflow: the queue %s was full (on_overflow=cancel_newest)', queue)
     WHERE id IN (SELECT value FROM json_each((SELECT ended FROM asked)));
    UPDATE messages SET consumed_at = (SELECT now FROM clock)
     WHERE kind = 'cancel' AND run_id IN (SELECT value FROM json_each((SELECT ended FROM asked)));
    INSERT INTO wakes (run_id, worker)
    SELECT DISTINCT parent.id, parent.worker
      FROM json_each((SELECT ended FROM asked)) AS ended
     CROSS JOIN runs AS child
     CROSS JOIN runs AS parent
     WHERE child.id = ended.value AND parent.id = child.parent_id AND parent.state IN ('parked', 'held');
    INSERT INTO wakes (run_id)
    SELECT DISTINCT waits.waiter FROM json_each((SELECT ended FROM asked)) AS ended
     CROSS JOIN waits WHERE waits.awaited = ended.value;
    DELETE FROM waits WHERE awaited IN (SELECT value FROM json_each((SELECT ended FROM asked)));
END;
CREATE TEMP TRIGGER cancel_running INSTEAD OF INSERT ON overflow WHEN NEW.how = 'cancel_running'
BEGIN
    INSERT INTO audit (at, who, action, run_id, detail)  -- from which its end takes the reason
    SELECT (SELECT now FROM clock), printf('queue %s', (SELECT queue FROM asked)), 'cancel', holder.id,
           printf('overflow: the queue %s was full (on_overflow=cancel_running)', (SELECT queue FROM asked))
      FROM (SELECT held.id, held.is_cancelled, waiting.times,
                   row_number() OVER (PARTITION BY held.key ORDER BY NOT held.is_cancelled, held.started_at, held.seq) AS nth
              FROM (SELECT key, count(*) AS times FROM waiting_over GROUP BY key) AS waiting
             CROSS JOIN (SELECT runs.id, runs.seq, runs.started_at,
                                iif(key_concurrency IS NULL, NULL, runs.flow_key) AS key,
                                EXISTS (SELECT 1 FROM messages
                                         WHERE messages.run_id = runs.id AND messages.kind = 'cancel') AS is_cancelled
                           FROM asked CROSS JOIN queues CROSS JOIN runs
                          WHERE queues.name = asked.queue AND runs.queue = asked.queue AND runs.state = 'held'
                            AND runs.has_slot IS NOT NULL) AS held
             WHERE held.key IS waiting.key) AS holder
     WHERE holder.nth <= holder.times AND NOT holder.is_cancelled
     LIMIT 1000;
    INSERT INTO messages (id, run_id, kind, sent_at)
    SELECT lower(hex(randomblob(16))), run_id, 'cancel', (SELECT moment FROM asked)
      FROM audit ORDER BY seq DESC LIMIT changes();
    UPDATE asked SET has_cancelled = changes() > 0;
END;
