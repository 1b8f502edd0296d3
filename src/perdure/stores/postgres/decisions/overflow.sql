-- What a queue that is full does with the rest, where it is not to wait: `cancel_newest` ends what has not begun,
-- `cancel_running` cancels the oldest that are held, as many as newer ones wait. By key where its keys have a limit of
-- their own. At most a thousand at once; the caller has locked the queue's row.
CREATE FUNCTION perdure.overflow(limits perdure.queues, picked text[], full_keys text[], is_full boolean,
                                 OUT ended text[], OUT has_cancelled boolean)
LANGUAGE plpgsql AS $$
DECLARE
    by_key boolean := limits.key_concurrency IS NOT NULL;
    over text[];
BEGIN
    ended := '{}';
    has_cancelled := false;
    IF (by_key AND coalesce(cardinality(full_keys), 0) = 0) OR (NOT by_key AND NOT is_full) THEN
        RETURN;
    END IF;
    IF limits.on_overflow = 'cancel_newest' THEN
        over := perdure.waiting_over(limits, full_keys, by_key, picked, 1000);  -- once, and not for each run that there is
        ended := ARRAY(SELECT id FROM perdure.runs
                        WHERE id = ANY (over) AND state = 'ready' ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
        UPDATE perdure.runs
           SET state = 'cancelled', finished_at = perdure.now(), reason = perdure.overflowed(limits.name, limits.on_overflow)
         WHERE id = ANY (ended);
        PERFORM perdure.consume_cancels(ended);
        PERFORM perdure.tell_ends(ended, NULL);
        RETURN;
    END IF;
    over := ARRAY(
        SELECT run.id
          FROM unnest(CASE WHEN by_key THEN full_keys ELSE ARRAY[NULL::text] END) AS of_key
         CROSS JOIN LATERAL (
                   SELECT count(*)::integer AS times
                     FROM unnest(perdure.waiting_over(limits, ARRAY[of_key], by_key, picked,
                                                      CASE WHEN by_key THEN limits.key_concurrency
                                                           ELSE limits.concurrency END)) AS one) AS waiting
         CROSS JOIN LATERAL (
                   SELECT held.id, row_number() OVER (ORDER BY NOT held.is_cancelled, held.started_at, held.seq) AS nth,
                          held.is_cancelled
                     FROM (SELECT id, started_at, seq,
                                  EXISTS (SELECT 1 FROM perdure.messages AS message
                                           WHERE message.run_id = runs.id AND message.kind = 'cancel' OFFSET 0) AS is_cancelled
                             FROM perdure.runs
                            WHERE queue = limits.name AND state = 'held' AND has_slot IS NOT NULL
                              AND (NOT by_key OR flow_key = of_key)) AS held) AS run
         WHERE run.nth <= waiting.times AND NOT run.is_cancelled
         LIMIT 1000);
    WITH holder AS MATERIALIZED (
        SELECT id, worker FROM perdure.runs WHERE id = ANY (over) AND state = 'held' ORDER BY id FOR SHARE SKIP LOCKED
    ), told AS (
        INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM holder
    ), audited AS (  -- from which its end takes the reason
        INSERT INTO perdure.audit (who, action, run_id, detail)
        SELECT format('queue %s', limits.name), 'cancel', id, perdure.overflowed(limits.name, limits.on_overflow) FROM holder
    )
    INSERT INTO perdure.messages (run_id, kind) SELECT id, 'cancel' FROM holder
    ON CONFLICT (run_id) WHERE kind = 'cancel' DO NOTHING;
    has_cancelled := FOUND;
END $$;

-- Runs that have not begun and for which there is no room, the newest last.
CREATE FUNCTION perdure.waiting_over(limits perdure.queues, keys text[], by_key boolean, picked text[], most integer)
RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(
        SELECT run.id
          FROM unnest(keys) AS of_key
         CROSS JOIN LATERAL (SELECT id FROM perdure.runs
                              WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL
                                AND queue = limits.name AND flow_key = of_key
                                AND started_at IS NULL AND id <> ALL (picked)
                              ORDER BY priority, seq LIMIT most) AS run
         WHERE by_key
         LIMIT most)
        || ARRAY(
        SELECT id FROM perdure.runs
         WHERE NOT by_key AND state = 'ready' AND due_at IS NULL AND flow_key IS NULL AND queue = limits.name
           AND started_at IS NULL AND id <> ALL (picked) LIMIT most)
        || ARRAY(
        SELECT id FROM perdure.runs
         WHERE NOT by_key AND state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND queue = limits.name
           AND started_at IS NULL AND id <> ALL (picked) LIMIT most);
END $$;

-- Why such a run is over.
CREATE FUNCTION perdure.overflowed(of_queue text, how text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('overflow: the queue %s was full (on_overflow=%s)', of_queue, how)
$$;
