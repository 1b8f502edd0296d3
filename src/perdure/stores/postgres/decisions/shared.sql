-- Rule 14: what may begin now of a queue whose limits hold for all workers together. The queue's row is locked, and every
-- count is taken in a later statement, so that it sees what was committed before the lock. Who gives slots back locks
-- nothing: a slot is a row of a run that is held.
-- `resuming`: claims of runs of this worker that have given their slots back and go on; they are served before anything
-- new. `picked`: what is to be taken; `moment`: their `started_at`; `short_by`: what was in the way of more, if anything
-- was; `told`: further answers, as JSON.
CREATE FUNCTION perdure.pick_shared(me uuid, of_queue text, slots integer, names text[], last_attempts text,
                                    resuming json, floor_priority integer, floor_seq bigint, version text,
                                    OUT picked text[], OUT short_by text, OUT moment timestamptz, OUT told json)
LANGUAGE plpgsql AS $$
DECLARE
    limits perdure.queues;
    most integer := slots;
    free integer;
    by_window integer;
    resumed text[];
    chosen record;
    over record;
    opens timestamptz;
    full_keys text[];
BEGIN
    PERFORM set_config('lock_timeout', '5s', true);
    SELECT one.* INTO limits FROM perdure.queues AS one WHERE one.name = of_queue FOR NO KEY UPDATE;
    moment := perdure.now();
    picked := '{}';
    short_by := 'full';
    resumed := perdure.resume_slots(me, limits, resuming);
    IF last_attempts = 'alone' THEN
        most := CASE WHEN EXISTS (SELECT 1 FROM perdure.runs WHERE worker = me) THEN 0 ELSE least(slots, 1) END;
    END IF;
    IF limits.concurrency IS NOT NULL THEN
        free := limits.concurrency - (SELECT count(*) FROM perdure.runs
                                       WHERE queue = of_queue AND state = 'held' AND has_slot IS NOT NULL)::integer;
        most := least(most, free);
    END IF;
    IF limits.rate IS NOT NULL AND most > 0 THEN
        by_window := limits.rate - perdure.started_within(of_queue, '', limits.period_seconds, moment);
        IF by_window < most THEN
            most := by_window;
            short_by := 'rate';
        END IF;
    END IF;
    IF limits.paused_at IS NOT NULL THEN
        most := 0;
        short_by := 'paused';
    END IF;
    IF most > 0 AND limits.is_keyed AND last_attempts <> 'alone' THEN
        SELECT * INTO chosen
          FROM perdure.keyed_candidates(limits, names, most, last_attempts, moment, version);
        picked := chosen.picked;
        full_keys := chosen.full_keys;
        IF cardinality(picked) < most THEN
            short_by := chosen.short_by;
            opens := chosen.opens;
        END IF;
    ELSIF most > 0 THEN
        picked := perdure.candidates(of_queue, names, most, last_attempts, floor_priority, floor_seq, version);
        IF last_attempts = 'alone' THEN
            picked := perdure.with_room_in_their_keys(limits, picked, moment);
        END IF;
        IF cardinality(picked) < most THEN
            short_by := 'empty';
        END IF;
    END IF;
    IF limits.rate IS NOT NULL OR limits.key_rate IS NOT NULL THEN
        PERFORM perdure.note_starts(limits, picked, moment);
    END IF;
    IF short_by = 'rate' AND opens IS NULL THEN
        opens := perdure.opens_at(of_queue, '', limits.rate, limits.period_seconds);
    END IF;
    IF limits.on_overflow <> 'wait' AND limits.paused_at IS NULL AND last_attempts <> 'alone' THEN
        SELECT * INTO over
          FROM perdure.overflow(limits, picked, full_keys, free IS NOT NULL AND free <= cardinality(picked));
        told := json_build_object('resumed', resumed, 'opens_in', extract(epoch FROM opens - moment),
                                  'ended', over.ended, 'has_cancelled', over.has_cancelled);
    ELSE
        told := json_build_object('resumed', resumed, 'opens_in', extract(epoch FROM opens - moment));
    END IF;
    IF cardinality(picked) >= slots OR short_by = 'more' THEN
        short_by := NULL;
    END IF;
END $$;

-- Runs of this worker that go on: those for which there is room have their slots again; the others ask for one, and until
-- they have it nothing new takes it, in whatever process. A row that is locked just now asks once more. Their claims.
CREATE FUNCTION perdure.resume_slots(me uuid, limits perdure.queues, resuming json) RETURNS text[]
LANGUAGE plpgsql AS $$
DECLARE
    asker record;
    resumed text[] := '{}';
    free integer;
    has_room boolean;
BEGIN
    FOR asker IN SELECT run.id, run.claim, run.flow_key, run.has_slot
                   FROM json_array_elements_text(resuming) AS asked
                  CROSS JOIN LATERAL (SELECT id, claim, flow_key, has_slot FROM perdure.runs
                                       WHERE worker = me AND runs.claim = asked::uuid AND state = 'held'
                                         FOR NO KEY UPDATE SKIP LOCKED) AS run
    LOOP
        IF free IS NULL AND limits.concurrency IS NOT NULL THEN  -- counted once: a slot that is given back meanwhile waits
            free := limits.concurrency - (SELECT count(*) FROM perdure.runs
                                           WHERE queue = limits.name AND state = 'held' AND has_slot);
        END IF;
        has_room := asker.has_slot IS TRUE
            OR ((limits.concurrency IS NULL OR free > 0)
                AND (limits.key_concurrency IS NULL OR asker.flow_key IS NULL
                     OR limits.key_concurrency > (SELECT count(*) FROM perdure.runs
                                                   WHERE queue = limits.name AND flow_key = asker.flow_key
                                                     AND state = 'held' AND has_slot)));
        IF asker.has_slot IS DISTINCT FROM has_room THEN
            UPDATE perdure.runs SET has_slot = has_room WHERE id = asker.id;
            free := free - has_room::integer;
        END IF;
        IF has_room THEN
            resumed := resumed || asker.claim::text;
        END IF;
    END LOOP;
    RETURN resumed;
END $$;
