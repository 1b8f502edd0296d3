-- Rules 1, 4, 7 and 11: for each queue, how many there is room for, which ones these are, and take them, each with the
-- nth of the fresh claims. `last_attempts`: whether runs at their last one are 'left' where they are, or a single one is
-- taken by a worker that holds nothing ('alone'), or they are taken 'beside' others. `floors`: for each queue the
-- priority and seq up to which this worker has lately taken all there was, or NULL.
-- A row with nth = 0 says that the worker is fenced; one with nth = -1 that its `queue` gave less than was asked, `name`
-- why: 'empty', or what was in the way.
CREATE FUNCTION perdure.claim_runs(me uuid, expected bigint, queues text[], slots integer[], names text[],
                                   claims uuid[], last_attempts text, floors json)
RETURNS TABLE (nth integer, id text, kind text, name text, queue text, priority integer, codec text, body text,
               attempts integer, max_attempts integer, is_fresh boolean, parent_id text, parent_key text,
               is_cancelled boolean, claimed_at double precision, incarnation integer,
               deadline_at double precision, is_detached boolean, rounds integer, seq bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    used integer := 0;
    most integer;
    short_by text;
    picked text[];
    has_woken boolean;
    its_version text;
BEGIN
    IF NOT perdure.fence(me, expected) THEN
        nth := 0;
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT coalesce(version, '') INTO its_version FROM perdure.workers WHERE workers.id = me;
    has_woken := perdure.wake_due(queues, names);
    has_woken := perdure.read_wakes() OR has_woken;
    IF has_woken THEN
        floors := NULL;  -- what has just become ready is older than what was taken lately
    END IF;
    FOR i IN 1 .. cardinality(queues) LOOP
        SELECT room.most, room.short_by INTO most, short_by
          FROM perdure.room(me, queues[i], slots[i], last_attempts) AS room;
        picked := '{}';
        IF most > 0 THEN
            picked := perdure.candidates(queues[i], names, most, last_attempts,
                                         coalesce((floors -> i - 1 ->> 0)::integer, -2147483648),
                                         coalesce((floors -> i - 1 ->> 1)::bigint, 0), its_version);
        END IF;
        IF cardinality(picked) > 0 THEN
            RETURN QUERY SELECT * FROM perdure.take(me, picked, claims, used, last_attempts = 'beside' OR used > 0);
            used := used + cardinality(picked);
        END IF;
        IF cardinality(picked) < slots[i] THEN
            nth := -1;
            queue := queues[i];
            name := CASE WHEN cardinality(picked) < most THEN 'empty' ELSE short_by END;
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
