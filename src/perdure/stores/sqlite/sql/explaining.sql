-- part: used
-- How many starts the queue's window has seen.
coalesce((SELECT max(total) FROM starts WHERE queue = run.queue AND key = ''), 0)
       - coalesce((SELECT max(total) FROM starts
                    WHERE queue = run.queue AND key = ''
                      AND at <= (SELECT now FROM clock) - limits.period_seconds), 0)

-- part: used_of_key
-- The same of the run's key.
coalesce((SELECT max(total) FROM starts WHERE queue = run.queue AND key = run.flow_key), 0)
       - coalesce((SELECT max(total) FROM starts
                    WHERE queue = run.queue AND key = run.flow_key
                      AND at <= (SELECT now FROM clock) - limits.key_period_seconds), 0)

-- part: opens
-- When the queue's window has room for one more.
(SELECT min(at) + limits.period_seconds - (SELECT now FROM clock) FROM starts
         WHERE queue = run.queue AND key = ''
           AND total > (SELECT max(total) FROM starts WHERE queue = run.queue AND key = '') - limits.rate)

-- part: key_opens
-- The same of the run's key.
(SELECT min(at) + limits.key_period_seconds - (SELECT now FROM clock)
          FROM starts
         WHERE queue = run.queue AND key = run.flow_key
           AND total > (SELECT max(total) FROM starts
                         WHERE queue = run.queue AND key = run.flow_key) - limits.key_rate)

-- name: explained
-- What there is to know of why a run does not go on: itself, its holder, its queue and limits, and who could take it. Of
-- what comes before it, a thousand are counted. Who has been silent for longer than its lease is not there, nor who is
-- known as dead, by the lock of its file.
WITH living AS (
    SELECT queues, names, version, lease_seconds, (SELECT now FROM clock) - renewed_at AS silent
      FROM workers
     WHERE renewed_at >= (SELECT now FROM clock) - lease_seconds AND id NOT IN (SELECT value FROM json_each(:dead))
)
SELECT json_group_array(json_array(json_object(
           'state', run.state, 'name', run.name, 'queue', run.queue, 'stopped', run.stopped, 'reason', run.reason,
           'due_in', run.due_at - (SELECT now FROM clock),
           'deadline_in', run.deadline_at - (SELECT now FROM clock),
           'attempts', run.attempts, 'max_attempts', run.max_attempts, 'key', run.flow_key,
           'has_given_slot', run.has_slot IS NULL AND coalesce(limits.concurrency, limits.key_concurrency) IS NOT NULL,
           'is_asking', coalesce(NOT run.has_slot, false), 'waits_for', json(coalesce(run.waits_for, '[]')),
           'is_cancelled', EXISTS (SELECT 1 FROM messages
                                    WHERE messages.run_id = run.id AND messages.kind = 'cancel'),
           'is_pausing', EXISTS (SELECT 1 FROM messages
                                  WHERE messages.run_id = run.id AND messages.kind = 'pause'
                                    AND messages.consumed_at IS NULL),
           'unfinished_children', (SELECT count(*) FROM (SELECT 1 FROM runs AS child
                                                          WHERE child.parent_id = run.id AND child.finished_at IS NULL
                                                          LIMIT 1000) AS open),
           'holder', holder.hostname || ':' || holder.pid, 'lease_seconds', holder.lease_seconds,
           'is_gone', coalesce(holder.id IN (SELECT value FROM json_each(:dead)), false),
           'silent_seconds', (SELECT now FROM clock) - holder.renewed_at,
           'workers', (SELECT count(*) FROM living),
           'gone_seconds', (SELECT (SELECT now FROM clock) - max(renewed_at) FROM workers),
           'serving', (SELECT count(*) FROM living WHERE run.queue IN (SELECT value FROM json_each(queues))),
           'knowing', (SELECT count(*) FROM living
                        WHERE run.queue IN (SELECT value FROM json_each(queues))
                          AND run.name IN (SELECT value FROM json_each(names))),
           'willing', (SELECT count(*) FROM living
                        WHERE run.queue IN (SELECT value FROM json_each(queues))
                          AND run.name IN (SELECT value FROM json_each(names))
                          AND coalesce(version NOT IN (SELECT value FROM json_each(coalesce(run.refused_by, '[]'))),
                                       true)),
           'quiet_seconds', (SELECT CASE WHEN min(silent / lease_seconds) > 0.5 THEN min(silent) END FROM living
                              WHERE run.queue IN (SELECT value FROM json_each(queues))
                                AND run.name IN (SELECT value FROM json_each(names))
                                AND coalesce(version NOT IN (SELECT value FROM json_each(coalesce(run.refused_by, '[]'))),
                                             true)),
           'refused_by', json(coalesce(run.refused_by, '[]')),
           'paused', (SELECT json_array(who, detail) FROM audit
                       WHERE run_id = run.id AND action = 'pause' ORDER BY seq DESC LIMIT 1),
           'is_queue_paused', limits.paused_at IS NOT NULL,
           'is_name_paused', EXISTS (SELECT 1 FROM pauses WHERE pauses.name = run.name),
           'concurrency', limits.concurrency, 'worker_concurrency', limits.worker_concurrency,
           'rate', limits.rate, 'period_seconds', limits.period_seconds,
           'key_concurrency', limits.key_concurrency, 'key_rate', limits.key_rate,
           'key_period_seconds', limits.key_period_seconds,
           'held', (SELECT count(*) FROM runs AS other
                     WHERE other.queue = run.queue AND other.state = 'held' AND other.has_slot IS NOT NULL),
           'asking', (SELECT count(*) FROM runs AS other
                       WHERE other.queue = run.queue AND other.state = 'held' AND NOT other.has_slot),
           'held_here', (SELECT count(*) FROM runs AS other
                          WHERE other.queue = run.queue AND other.state = 'held'),
           'holders', (SELECT json_group_array(id)
                         FROM (SELECT other.id FROM runs AS other
                                WHERE other.queue = run.queue AND other.state = 'held' AND other.has_slot
                                ORDER BY other.started_at LIMIT 5) AS oldest),
           'held_of_key', (SELECT count(*) FROM runs AS other
                            WHERE other.queue = run.queue AND other.flow_key = run.flow_key AND other.state = 'held'
                              AND other.has_slot IS NOT NULL),
           'used', {used}, 'opens_in', {opens}, 'used_of_key', {used_of_key}, 'key_opens_in', {key_opens},
           'ahead', (SELECT count(*) FROM (SELECT 1 FROM runs AS other
                                            WHERE other.queue = run.queue AND other.state = 'ready'
                                              AND other.due_at IS NULL
                                              AND other.flow_key IS run.flow_key
                                              AND (other.priority, other.seq) < (run.priority, run.seq)
                                            LIMIT 1000) AS first))))
  FROM runs AS run
  LEFT JOIN workers AS holder ON holder.id = run.worker
  LEFT JOIN queues AS limits ON limits.name = run.queue
 WHERE run.id = :run_id;
