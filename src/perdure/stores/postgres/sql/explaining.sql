-- part: used
-- How many starts the queue's window has seen.
coalesce((SELECT max(total) FROM perdure.starts WHERE queue = run.queue AND key = ''), 0)
       - coalesce((SELECT max(total) FROM perdure.starts
                    WHERE queue = run.queue AND key = ''
                      AND at <= perdure.now() - make_interval(secs => limits.period_seconds)), 0)

-- part: used_of_key
-- The same of the run's key.
coalesce((SELECT max(total) FROM perdure.starts WHERE queue = run.queue AND key = run.flow_key), 0)
       - coalesce((SELECT max(total) FROM perdure.starts
                    WHERE queue = run.queue AND key = run.flow_key
                      AND at <= perdure.now() - make_interval(secs => limits.key_period_seconds)), 0)

-- part: opens
-- When the queue's window has room for one more.
(SELECT extract(epoch FROM min(at) + make_interval(secs => limits.period_seconds) - perdure.now()) FROM perdure.starts
         WHERE queue = run.queue AND key = ''
           AND total > (SELECT max(total) FROM perdure.starts WHERE queue = run.queue AND key = '') - limits.rate)

-- part: key_opens
-- The same of the run's key.
(SELECT extract(epoch FROM min(at) + make_interval(secs => limits.key_period_seconds) - perdure.now())
          FROM perdure.starts
         WHERE queue = run.queue AND key = run.flow_key
           AND total > (SELECT max(total) FROM perdure.starts
                         WHERE queue = run.queue AND key = run.flow_key) - limits.key_rate)

-- name: explained
-- What there is to know of why a run does not go on: itself, its holder, its queue and limits, and who could take it. Of
-- what comes before it, a thousand are counted. Who has been silent for longer than its lease is not there, nor who is
-- known as dead, by the lock of its file, or of its session.
WITH locked AS MATERIALIZED (
    SELECT objid::bigint AS lock_no FROM pg_locks
     WHERE locktype = 'advisory' AND classid = 80 AND objsubid = 2 AND granted
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), gone AS MATERIALIZED (
    SELECT id FROM perdure.workers
     WHERE id = ANY (%(dead)s::uuid[])
        OR (has_lock AND lock_no NOT IN (SELECT lock_no FROM locked))
), living AS (
    SELECT queues, names, version, lease_seconds, extract(epoch FROM perdure.now() - renewed_at) AS silent
      FROM perdure.workers
     WHERE renewed_at >= perdure.now() - make_interval(secs => lease_seconds) AND id NOT IN (SELECT id FROM gone)
)
SELECT json_build_object(
           'state', run.state, 'name', run.name, 'queue', run.queue, 'stopped', run.stopped, 'reason', run.reason,
           'due_in', extract(epoch FROM run.due_at - perdure.now()),
           'deadline_in', extract(epoch FROM run.deadline_at - perdure.now()),
           'attempts', run.attempts, 'max_attempts', run.max_attempts, 'key', run.flow_key,
           'has_given_slot', run.has_slot IS NULL AND coalesce(limits.concurrency, limits.key_concurrency) IS NOT NULL,
           'is_asking', coalesce(NOT run.has_slot, false), 'waits_for', coalesce(run.waits_for, '[]'),
           'is_cancelled', EXISTS (SELECT 1 FROM perdure.messages
                                    WHERE messages.run_id = run.id AND messages.kind = 'cancel'),
           'is_pausing', EXISTS (SELECT 1 FROM perdure.messages
                                  WHERE messages.run_id = run.id AND messages.kind = 'pause'
                                    AND messages.consumed_at IS NULL),
           'unfinished_children', (SELECT count(*) FROM (SELECT 1 FROM perdure.runs AS child
                                                          WHERE child.parent_id = run.id AND child.finished_at IS NULL
                                                          LIMIT 1000) AS open),
           'holder', holder.hostname || ':' || holder.pid, 'lease_seconds', holder.lease_seconds,
           'is_gone', coalesce(holder.id IN (SELECT id FROM gone), false),
           'silent_seconds', extract(epoch FROM perdure.now() - holder.renewed_at),
           'workers', (SELECT count(*) FROM living),
           'gone_seconds', (SELECT extract(epoch FROM perdure.now() - max(renewed_at)) FROM perdure.workers),
           'serving', (SELECT count(*) FROM living WHERE run.queue = ANY (queues)),
           'knowing', (SELECT count(*) FROM living WHERE run.queue = ANY (queues) AND run.name = ANY (names)),
           'willing', (SELECT count(*) FROM living
                        WHERE run.queue = ANY (queues) AND run.name = ANY (names)
                          AND coalesce(version <> ALL (run.refused_by), true)),
           'quiet_seconds', (SELECT CASE WHEN min(silent / lease_seconds) > 0.5 THEN min(silent) END FROM living
                              WHERE run.queue = ANY (queues) AND run.name = ANY (names)
                                AND coalesce(version <> ALL (run.refused_by), true)),
           'refused_by', coalesce(to_json(run.refused_by), '[]'),
           'paused', (SELECT json_build_array(who, detail) FROM perdure.audit
                       WHERE run_id = run.id AND action = 'pause' ORDER BY seq DESC LIMIT 1),
           'is_queue_paused', limits.paused_at IS NOT NULL,
           'is_name_paused', EXISTS (SELECT 1 FROM perdure.pauses WHERE pauses.name = run.name),
           'concurrency', limits.concurrency, 'worker_concurrency', limits.worker_concurrency,
           'rate', limits.rate, 'period_seconds', limits.period_seconds,
           'key_concurrency', limits.key_concurrency, 'key_rate', limits.key_rate,
           'key_period_seconds', limits.key_period_seconds,
           'held', (SELECT count(*) FROM perdure.runs AS other
                     WHERE other.queue = run.queue AND other.state = 'held' AND other.has_slot IS NOT NULL),
           'asking', (SELECT count(*) FROM perdure.runs AS other
                       WHERE other.queue = run.queue AND other.state = 'held' AND NOT other.has_slot),
           'held_here', (SELECT count(*) FROM perdure.runs AS other
                          WHERE other.queue = run.queue AND other.state = 'held'),
           'holders', (SELECT coalesce(json_agg(id), '[]')
                         FROM (SELECT other.id FROM perdure.runs AS other
                                WHERE other.queue = run.queue AND other.state = 'held' AND other.has_slot
                                ORDER BY other.started_at LIMIT 5) AS oldest),
           'held_of_key', (SELECT count(*) FROM perdure.runs AS other
                            WHERE other.queue = run.queue AND other.flow_key = run.flow_key AND other.state = 'held'
                              AND other.has_slot IS NOT NULL),
           'used', {used}, 'opens_in', {opens}, 'used_of_key', {used_of_key}, 'key_opens_in', {key_opens},
           'ahead', (SELECT count(*) FROM (SELECT 1 FROM perdure.runs AS other
                                            WHERE other.queue = run.queue AND other.state = 'ready'
                                              AND other.due_at IS NULL
                                              AND other.flow_key IS NOT DISTINCT FROM run.flow_key
                                              AND (other.priority, other.seq) < (run.priority, run.seq)
                                            LIMIT 1000) AS first))
  FROM perdure.runs AS run
  LEFT JOIN perdure.workers AS holder ON holder.id = run.worker
  LEFT JOIN perdure.queues AS limits ON limits.name = run.queue
 WHERE run.id = %(run_id)s::text;
