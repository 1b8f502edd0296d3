-- The bounded poll: whether the mailbox has something for this worker or for anybody, whether anything is claimable, when
-- what is next due, whether a run's deadline has passed; what was set for the queues: the worker's own limit, and whether
-- nothing may begin past a claim, and when that was set; which functions are paused, and whether somebody asks a run
-- something.
-- A function, so that its own settings hold for its plans whatever the statistics are: no table is walked. Of each queue
-- the head of each function that the worker knows and that waits there is looked at, and nothing of others. `floors` as in
-- a claim.
CREATE FUNCTION perdure.pulse(me uuid, queues text[], names text[], floors json, OUT has_mail boolean,
                              OUT has_claimable boolean, OUT has_last_attempts boolean,
                              OUT next_due_at double precision, OUT has_overdue boolean,
                              OUT has_schedules boolean, OUT moment double precision, OUT limits json,
                              OUT paused json, OUT has_questions boolean)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off AS $$
DECLARE
    its_version text := (SELECT coalesce(version, '') FROM perdure.workers WHERE id = me);
    waiting_in text[];
    waiting text[];
    behind json[];
BEGIN
    SELECT array_agg(of_queue.name), array_agg(of_name), array_agg(floors -> of_queue.nth::integer - 1)
      INTO waiting_in, waiting, behind
      FROM unnest(queues) WITH ORDINALITY AS of_queue (name, nth)
     CROSS JOIN LATERAL perdure.waiting_names(of_queue.name, names,
                    coalesce(json_typeof(floors -> of_queue.nth::integer - 1), 'null') <> 'null') AS of_name;
    has_mail := EXISTS (SELECT 1 FROM perdure.wakes WHERE worker IS NULL)
        OR EXISTS (SELECT 1 FROM perdure.wakes WHERE worker = me);
    has_claimable := EXISTS (
            SELECT 1
              FROM unnest(waiting_in, waiting, behind) AS head (queue, name, floor)
             CROSS JOIN LATERAL (
                       SELECT 1 FROM perdure.runs
                        WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL
                          AND queue = head.queue AND name = head.name
                          AND (refused_by IS NULL OR its_version <> ALL (refused_by))
                          AND (priority, seq) > (coalesce((head.floor ->> 0)::integer, -2147483648),
                                                 coalesce((head.floor ->> 1)::bigint, 0))
                        ORDER BY priority, seq LIMIT 1) AS run)
        OR EXISTS (
            SELECT 1
              FROM unnest(waiting_in, waiting) AS head (queue, name)
             CROSS JOIN LATERAL (SELECT 1 FROM perdure.due_runs
                                  WHERE queue = head.queue AND name = head.name
                                  ORDER BY due_at LIMIT 1) AS run)
        OR EXISTS (SELECT 1 FROM perdure.stirs WHERE queue = ANY (queues))
        OR EXISTS (SELECT 1 FROM perdure.turns WHERE queue = ANY (queues) AND wakes_at IS NULL AND key <> '')
        OR EXISTS (SELECT 1 FROM perdure.turns WHERE queue = ANY (queues) AND wakes_at <= (SELECT perdure.now()));
    has_last_attempts := EXISTS (
            SELECT 1
              FROM unnest(waiting_in, waiting) AS head (queue, name)
             CROSS JOIN LATERAL (
                       SELECT 1 FROM perdure.runs
                        WHERE state = 'ready' AND due_at IS NULL AND queue = head.queue AND name = head.name
                          AND attempts > 0 AND attempts >= max_attempts - 1
                          AND (refused_by IS NULL OR its_version <> ALL (refused_by))
                        ORDER BY priority, seq LIMIT 1) AS run);
    next_due_at := (
            SELECT extract(epoch FROM min(run.due_at))::double precision
              FROM unnest(waiting_in, waiting) AS head (queue, name)
             CROSS JOIN LATERAL (
                       SELECT due_at FROM perdure.runs
                        WHERE state IN ('ready', 'parked') AND stopped IS NULL AND due_at IS NOT NULL
                          AND queue = head.queue AND name = head.name AND due_at > (SELECT perdure.now())
                        ORDER BY due_at LIMIT 1) AS run);
    has_overdue := EXISTS (SELECT 1 FROM perdure.overdue_runs);
    next_due_at := least(next_due_at, (
            SELECT extract(epoch FROM deadline_at)::double precision FROM perdure.runs
             WHERE deadline_at IS NOT NULL AND finished_at IS NULL AND deadline_at > (SELECT perdure.now())
             ORDER BY deadline_at LIMIT 1));
    has_schedules := EXISTS (SELECT 1 FROM perdure.due_schedules);
    moment := extract(epoch FROM perdure.now())::double precision;
    next_due_at := least(next_due_at, (SELECT extract(epoch FROM schedules.next_at)::double precision
                                         FROM perdure.schedules
                                        WHERE paused_at IS NULL AND next_at IS NOT NULL
                                          AND next_at > (SELECT perdure.now())
                                        ORDER BY next_at LIMIT 1));
    next_due_at := least(next_due_at, (
            SELECT extract(epoch FROM min(turns.wakes_at))::double precision
              FROM perdure.turns WHERE queue = ANY (queues) AND wakes_at > (SELECT perdure.now())));
    limits := (SELECT json_agg(json_build_array(set_for.name, set_for.worker_concurrency,
                                                set_for.is_shared OR set_for.paused_at IS NOT NULL,
                                                extract(epoch FROM set_for.changed_at)::double precision))
                 FROM perdure.queues AS set_for WHERE set_for.name = ANY (queues));
    paused := (SELECT json_agg(pauses.name) FROM perdure.pauses);
    has_questions := EXISTS (SELECT 1 FROM perdure.questions
                              WHERE answer IS NULL AND expires_at > (SELECT perdure.now()));
END $$;
