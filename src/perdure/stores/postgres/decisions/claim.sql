-- Rules 1, 4, 7 and 11: for each queue, how many there is room for, which ones these are, and take them, each with the
-- nth of the fresh claims. `last_attempts`: whether runs at their last one are 'left' where they are, or a single one is
-- taken by a worker that holds nothing ('alone'), or they are taken 'beside' others. `floors`: for each queue the
-- priority and seq up to which this worker has lately taken all there was, and whether that is firm; or NULL.
-- `resuming`: for each queue the claims of runs that go on and ask for their slots.
-- A row with nth = 0 says that the worker is fenced; one with nth = -1 that its `queue` gave less than was asked, `name`
-- why: 'empty', or what was in the way; one with nth = -2 has in `body` what `pick_shared` tells beside.
CREATE FUNCTION perdure.claim_runs(me uuid, expected bigint, queues text[], slots integer[], names text[],
                                   claims uuid[], last_attempts text, floors json, resuming json)
RETURNS TABLE (nth integer, id text, kind text, name text, queue text, priority integer, codec text, body text,
               attempts integer, max_attempts integer, is_fresh boolean, parent_id text, parent_key text,
               is_cancelled boolean, claimed_at double precision, incarnation integer,
               deadline_at double precision, is_detached boolean, rounds integer, seq bigint)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    used integer := 0;
    most integer;
    short_by text;
    picked text[];
    has_woken boolean;
    its_version text;
    limits perdure.queues;
    choice record;
    moment timestamptz;
    is_shared boolean;
    told json;
BEGIN
    IF NOT perdure.fence(me, expected) THEN
        nth := 0;
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT coalesce(version, '') INTO its_version FROM perdure.workers WHERE workers.id = me;
    PERFORM 1 FROM perdure.pauses;
    IF FOUND THEN
        names := ARRAY(SELECT known FROM unnest(names) AS known WHERE known NOT IN (SELECT one.name FROM perdure.pauses AS one));
    END IF;
    has_woken := perdure.wake_due(queues, names);
    has_woken := perdure.read_wakes() OR has_woken;
    IF has_woken THEN
        -- What has just become ready is older than what was taken lately.
        floors := (SELECT json_agg(CASE WHEN (floor ->> 2)::boolean THEN floor END ORDER BY place)
                     FROM json_array_elements(floors) WITH ORDINALITY AS behind (floor, place));
    END IF;
    FOR i IN 1 .. cardinality(queues) LOOP
        SELECT one.* INTO limits FROM perdure.queues AS one WHERE one.name = queues[i];
        is_shared := coalesce(limits.is_shared, false);
        moment := NULL;
        told := json_build_object('resumed', resuming -> i - 1);
        IF is_shared THEN
            SELECT * INTO choice
              FROM perdure.pick_shared(me, queues[i], slots[i], names, last_attempts, resuming -> i - 1,
                                       coalesce((floors -> i - 1 ->> 0)::integer, -2147483648),
                                       coalesce((floors -> i - 1 ->> 1)::bigint, 0), its_version);
            picked := choice.picked;
            moment := choice.moment;
            short_by := choice.short_by;
            told := choice.told;
        ELSE
            SELECT room.most, room.short_by INTO most, short_by
              FROM perdure.room(me, slots[i], last_attempts, limits.paused_at IS NOT NULL) AS room;
            picked := '{}';
            IF most > 0 THEN
                picked := perdure.candidates(queues[i], names, most, last_attempts,
                                             coalesce((floors -> i - 1 ->> 0)::integer, -2147483648),
                                             coalesce((floors -> i - 1 ->> 1)::bigint, 0), its_version);
            END IF;
            IF cardinality(picked) < most THEN
                short_by := 'empty';
            END IF;
        END IF;
        IF cardinality(picked) > 0 THEN
            RETURN QUERY SELECT * FROM perdure.take(me, picked, claims, used, last_attempts = 'beside' OR used > 0,
                                                    coalesce(moment, perdure.now()), is_shared);
            used := used + cardinality(picked);
        END IF;
        IF is_shared OR json_array_length(resuming -> i - 1) > 0 THEN
            nth := -2;
            queue := queues[i];
            body := told;
            RETURN NEXT;
        END IF;
        IF cardinality(picked) < slots[i] AND short_by IS NOT NULL THEN
            nth := -1;
            queue := queues[i];
            name := short_by;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
