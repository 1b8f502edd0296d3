-- What somebody has set for a queue: of `changes` each that is named, with NULL for no limit; 'paused' with true or false.
-- `is_known`: whether the queue is one, as far as the caller knows; else somebody has to serve it, or have used it. False
-- where nobody has, and then nothing is set.
CREATE FUNCTION perdure.set_queue(of_queue text, changes jsonb, is_known boolean) RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    PERFORM perdure.check_session();
    PERFORM set_config('lock_timeout', '5s', true);
    IF NOT is_known AND NOT EXISTS (SELECT 1 FROM perdure.queues WHERE name = of_queue)
       AND NOT EXISTS (SELECT 1 FROM perdure.workers WHERE of_queue = ANY (queues))
       AND NOT EXISTS (SELECT 1 FROM perdure.runs WHERE queue = of_queue AND state = 'ready' AND due_at IS NULL
                                                    AND flow_key IS NULL)
       AND NOT EXISTS (SELECT 1 FROM perdure.runs WHERE queue = of_queue AND state IN ('ready', 'parked')
                                                    AND due_at IS NOT NULL AND stopped IS NULL) THEN
        RETURN false;
    END IF;
    INSERT INTO perdure.queues (name) VALUES (of_queue) ON CONFLICT (name) DO NOTHING;
    PERFORM 1 FROM perdure.queues WHERE name = of_queue FOR NO KEY UPDATE;
    PERFORM perdure.change_queue(of_queue, changes);
    RETURN true;
END $$;

-- What a program declares: each value that is another one than it had declared before. So the last change of each counts,
-- and the same program, started again, takes nothing back that somebody has set. Writes nothing where nothing changes.
CREATE FUNCTION perdure.declare_queue(of_queue text, declaration jsonb) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    before jsonb;
BEGIN
    PERFORM perdure.check_session();
    PERFORM set_config('lock_timeout', '5s', true);
    SELECT declared INTO before FROM perdure.queues WHERE name = of_queue;
    IF coalesce(before, '{}') = declaration THEN
        RETURN;
    END IF;
    INSERT INTO perdure.queues (name) VALUES (of_queue) ON CONFLICT (name) DO NOTHING;
    SELECT declared INTO before FROM perdure.queues WHERE name = of_queue FOR NO KEY UPDATE;
    PERFORM perdure.change_queue(of_queue, (
        SELECT coalesce(jsonb_object_agg(key, declaration -> key), '{}')
          FROM jsonb_object_keys(before || declaration) AS key
         WHERE before -> key IS DISTINCT FROM declaration -> key));
    UPDATE perdure.queues SET declared = declaration WHERE name = of_queue;
END $$;

-- The caller has locked the row. Two changes have never one time: workers tell them apart by that. Keys that wait for a larger limit, or for a window that is another one now, are looked at.
CREATE FUNCTION perdure.change_queue(of_queue text, changes jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before perdure.queues;
BEGIN
    IF changes ?| ARRAY['rate', 'key_rate'] THEN
        -- The last start before such a window is before any other, too: a longer one would else count all there ever were.
        SELECT one.* INTO before FROM perdure.queues AS one WHERE one.name = of_queue;
        DELETE FROM perdure.starts
         WHERE queue = of_queue AND changes ? CASE key WHEN '' THEN 'rate' ELSE 'key_rate' END
           AND total < (SELECT base.total FROM perdure.starts AS base
                         WHERE base.queue = of_queue AND base.key = starts.key
                           AND base.at <= perdure.now() - make_interval(secs => coalesce(
                                   CASE starts.key WHEN '' THEN before.period_seconds ELSE before.key_period_seconds END, 0))
                         ORDER BY base.at DESC, base.total DESC LIMIT 1);
        UPDATE perdure.starts SET at = to_timestamp(0)
         WHERE queue = of_queue AND changes ? CASE key WHEN '' THEN 'rate' ELSE 'key_rate' END
           AND at <= perdure.now() - make_interval(secs => coalesce(
                   CASE key WHEN '' THEN before.period_seconds ELSE before.key_period_seconds END, 0));
    END IF;
    UPDATE perdure.queues
       SET worker_concurrency = CASE WHEN changes ? 'worker_concurrency' THEN (changes ->> 'worker_concurrency')::integer
                                     ELSE worker_concurrency END,
           concurrency = CASE WHEN changes ? 'concurrency' THEN (changes ->> 'concurrency')::integer ELSE concurrency END,
           rate = CASE WHEN changes ? 'rate' THEN (changes -> 'rate' ->> 0)::integer ELSE rate END,
           period_seconds = CASE WHEN changes ? 'rate' THEN (changes -> 'rate' ->> 1)::double precision
                                 ELSE period_seconds END,
           is_keyed = is_keyed OR coalesce(changes ->> 'key_concurrency', changes ->> 'key_rate') IS NOT NULL,
           key_concurrency = CASE WHEN changes ? 'key_concurrency' THEN (changes ->> 'key_concurrency')::integer
                                  ELSE key_concurrency END,
           key_rate = CASE WHEN changes ? 'key_rate' THEN (changes -> 'key_rate' ->> 0)::integer ELSE key_rate END,
           key_period_seconds = CASE WHEN changes ? 'key_rate' THEN (changes -> 'key_rate' ->> 1)::double precision
                                     ELSE key_period_seconds END,
           on_overflow = CASE WHEN changes ? 'on_overflow' THEN coalesce(changes ->> 'on_overflow', 'wait')
                              ELSE on_overflow END,
           paused_at = CASE WHEN NOT changes ? 'paused' THEN paused_at
                            WHEN (changes ->> 'paused')::boolean THEN coalesce(paused_at, perdure.now()) END,
           changed_at = greatest(perdure.now(), changed_at + interval '1 microsecond')
     WHERE name = of_queue;
    IF changes ? 'key_concurrency' THEN
        INSERT INTO perdure.stirs (queue, key)
        SELECT DISTINCT queue, flow_key FROM perdure.runs
         WHERE state = 'held' AND has_slot IS NOT NULL AND queue = of_queue AND flow_key IS NOT NULL;
    END IF;
    IF changes ? 'key_rate' THEN
        UPDATE perdure.turns SET wakes_at = NULL, turn = nextval('perdure.turns_given')
         WHERE queue = of_queue AND wakes_at IS NOT NULL;
    END IF;
END $$;

-- Runs of this function begin no more, or again.
CREATE FUNCTION perdure.pause_function(of_name text, is_paused boolean) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM perdure.check_session();
    IF is_paused THEN
        INSERT INTO perdure.pauses (name) VALUES (of_name) ON CONFLICT (name) DO NOTHING;
    ELSE
        DELETE FROM perdure.pauses WHERE name = of_name;
    END IF;
END $$;

-- Should a stir be lost: keys with ready runs that are in no line are stirred again, of a queue the thousand after this one.
-- Where to go on; NULL: all were looked at. What no window looks at any more goes.
CREATE FUNCTION perdure.heal_keys(of_queue text, after_key text) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    keys text[];
BEGIN
    PERFORM perdure.check_session();
    keys := ARRAY(
        WITH RECURSIVE waiting (key, nth) AS (
            SELECT (SELECT flow_key FROM perdure.runs
                     WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND queue = of_queue
                       AND flow_key > after_key ORDER BY flow_key LIMIT 1), 1
             UNION ALL
            SELECT (SELECT flow_key FROM perdure.runs
                     WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND queue = of_queue
                       AND flow_key > waiting.key ORDER BY flow_key LIMIT 1), nth + 1
              FROM waiting WHERE waiting.key IS NOT NULL AND nth < 1000
        )
        SELECT key FROM waiting WHERE key IS NOT NULL ORDER BY nth);
    INSERT INTO perdure.stirs (queue, key)
    SELECT of_queue, key FROM unnest(keys) AS key
     WHERE NOT EXISTS (SELECT 1 FROM perdure.turns WHERE queue = of_queue AND turns.key = key);
    DELETE FROM perdure.starts
     WHERE (queue, key, total) IN (
               SELECT one.queue, one.key, one.total FROM perdure.starts AS one
                CROSS JOIN LATERAL (SELECT key_period_seconds FROM perdure.queues WHERE name = one.queue OFFSET 0) AS limits
                WHERE one.queue = of_queue AND one.key > after_key AND one.key <> ''
                  AND one.at <= perdure.now() - make_interval(secs => coalesce(limits.key_period_seconds, 0))
                  AND NOT EXISTS (SELECT 1 FROM perdure.starts AS later
                                   WHERE later.queue = one.queue AND later.key = one.key AND later.total > one.total)
                LIMIT 1000);
    RETURN CASE WHEN cardinality(keys) = 1000 THEN keys[1000] END;
END $$;
