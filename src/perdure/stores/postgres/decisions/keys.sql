-- The first of the keys that are in line, in their turns; of a key the oldest of the lowest priority. Who has got its share
-- and has more goes to the end of the line; who has nothing more, or is full, leaves it: the next run that becomes ready,
-- or the next end, stirs it; who has used its window sleeps until that opens. The caller has locked the queue's row, so
-- turns are given in order, and no key in line is earlier than `line_from`: that moves on once so many have left
-- that walking their dead entries would cost more than writing it.
CREATE FUNCTION perdure.keyed_candidates(limits perdure.queues, names text[], most integer, last_attempts text,
                                         moment timestamptz, version text,
                                         OUT picked text[], OUT short_by text, OUT opens timestamptz,
                                         OUT full_keys text[])
LANGUAGE plpgsql AS $$
DECLARE
    last_turn bigint;
    first_turn bigint;
    has_more_stirs boolean;
    after bigint := limits.line_from - 1;
    upto bigint;
    looked_at integer := 1;
    passes integer := 0;
    keyless text[];
    found text[];
    full_now text[];
BEGIN
    WITH gone AS (
        DELETE FROM perdure.stirs WHERE queue = limits.name AND seq = ANY (ARRAY(
            SELECT seq FROM perdure.stirs WHERE queue = limits.name ORDER BY seq LIMIT 1000))
        RETURNING key, seq
    ), stirred AS (
        INSERT INTO perdure.turns (queue, key, turn)
        SELECT limits.name, key, nextval('perdure.turns_given') FROM (SELECT key FROM gone GROUP BY key ORDER BY min(seq)) AS one
        ON CONFLICT (queue, key) DO NOTHING
    )
    SELECT count(*) = 1000 INTO has_more_stirs FROM gone;
    UPDATE perdure.turns SET wakes_at = NULL, turn = nextval('perdure.turns_given')
     WHERE queue = limits.name AND wakes_at IS NOT NULL AND (limits.key_rate IS NULL OR wakes_at <= moment);
    full_keys := '{}';
    last_turn := (SELECT turn FROM perdure.turns
                   WHERE queue = limits.name AND wakes_at IS NULL AND turn >= limits.line_from
                   ORDER BY turn DESC LIMIT 1);
    keyless := perdure.share_without_key(limits, names, most, last_attempts, version);
    picked := keyless;
    -- Most of the time those that are next have something: few are looked at first, for each costs its share.
    WHILE cardinality(picked) < most AND looked_at > 0 AND passes < 9 LOOP
        WITH line AS MATERIALIZED (
            SELECT key, turn FROM perdure.turns
             WHERE queue = limits.name AND wakes_at IS NULL AND key <> '' AND turn > after AND turn <= last_turn
             ORDER BY turn LIMIT greatest(most - cardinality(picked), CASE passes WHEN 0 THEN 8 ELSE 64 END)
        ), share AS MATERIALIZED (
            SELECT (most - cardinality(picked) + greatest(count(*), 1) - 1) / greatest(count(*), 1) AS quantum FROM line
        ), allowed AS MATERIALIZED (
            SELECT line.key, line.turn, share.quantum::integer AS quantum,
                   CASE WHEN limits.key_concurrency IS NULL THEN 1000000 ELSE limits.key_concurrency
                        - (SELECT count(*) FROM perdure.runs WHERE queue = limits.name AND flow_key = line.key
                                                               AND state = 'held' AND has_slot IS NOT NULL)::integer
                   END AS by_slots,
                   CASE WHEN limits.key_rate IS NULL THEN 1000000 ELSE limits.key_rate
                        - perdure.started_within(limits.name, line.key, limits.key_period_seconds, moment)
                   END AS by_window
              FROM line CROSS JOIN share
        ), head AS MATERIALIZED (
            SELECT allowed.key, allowed.turn, run.id, row_number() OVER (ORDER BY allowed.turn, run.priority, run.seq) AS nth
              FROM allowed
             CROSS JOIN LATERAL (
                       SELECT id, priority, seq FROM perdure.runs
                        WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL
                          AND queue = limits.name AND flow_key = allowed.key AND name = ANY (names)
                          AND (refused_by IS NULL OR version <> ALL (refused_by))
                          AND (last_attempts = 'beside' OR CASE
                                   WHEN attempts = 0 OR attempts < max_attempts - 1 THEN true
                                   ELSE perdure.progress_of(id) > progress_mark END)
                        ORDER BY priority, seq LIMIT greatest(least(allowed.quantum, allowed.by_slots, allowed.by_window), 0)
                          FOR NO KEY UPDATE SKIP LOCKED) AS run
        ), taken AS MATERIALIZED (
            SELECT * FROM head WHERE nth <= most - cardinality(picked)
        ), given AS MATERIALIZED (
            SELECT allowed.key, allowed.by_slots, allowed.by_window, count(taken.id)::integer AS got
              FROM allowed LEFT JOIN taken ON taken.key = allowed.key
             WHERE allowed.turn <= CASE WHEN (SELECT count(*) FROM taken) < most - cardinality(picked)
                                        THEN last_turn ELSE (SELECT max(turn) FROM taken) END
             GROUP BY allowed.key, allowed.by_slots, allowed.by_window
        ), used AS MATERIALIZED (
            SELECT given.key, given.by_slots - given.got AS by_slots, given.by_window - given.got AS by_window,
                   given.got < (SELECT count(*) FROM (SELECT 1 FROM perdure.runs
                                                       WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL
                                                         AND queue = limits.name AND flow_key = given.key
                                                       LIMIT given.got + 1) AS one) AS has_more
              FROM given
        ), gone AS (
            DELETE FROM perdure.turns USING used
             WHERE turns.queue = limits.name AND turns.key = used.key AND (NOT used.has_more OR used.by_slots <= 0)
        ), moved AS (
            UPDATE perdure.turns
               SET turn = nextval('perdure.turns_given'),
                   wakes_at = CASE WHEN used.by_window <= 0
                                   THEN coalesce((SELECT at FROM perdure.starts
                                                   WHERE queue = limits.name AND starts.key = used.key
                                                     AND at > moment - make_interval(secs => limits.key_period_seconds)
                                                   ORDER BY at LIMIT 1), moment)
                                        + make_interval(secs => limits.key_period_seconds) END
              FROM used
             WHERE turns.queue = limits.name AND turns.key = used.key AND used.has_more AND used.by_slots > 0
        )
        SELECT (SELECT array_agg(taken.id ORDER BY taken.nth) FROM taken), (SELECT count(*) FROM line),
               (SELECT max(line.turn) FROM line),
               (SELECT array_agg(used.key) FROM used WHERE used.has_more AND used.by_slots <= 0)
          INTO found, looked_at, upto, full_now;
        picked := picked || coalesce(found, '{}');
        full_keys := full_keys || coalesce(full_now, '{}');
        passes := passes + 1;
        after := upto;
    END LOOP;
    IF cardinality(picked) < most THEN  -- the keys have left something
        picked := picked || perdure.rest_without_key(limits.name, names, most - cardinality(picked), last_attempts, keyless,
                                                      version);
    END IF;
    first_turn := (SELECT turn FROM perdure.turns
                    WHERE queue = limits.name AND wakes_at IS NULL AND key <> '' AND turn >= limits.line_from
                    ORDER BY turn LIMIT 1);
    IF coalesce(first_turn, last_turn + 1) >= limits.line_from + 1000 THEN
        UPDATE perdure.queues SET line_from = coalesce(first_turn, last_turn + 1) WHERE queues.name = limits.name;
    END IF;
    opens := (SELECT min(turns.wakes_at) FROM perdure.turns WHERE queue = limits.name AND turns.wakes_at IS NOT NULL);
    short_by := CASE
        WHEN cardinality(picked) > 0 OR has_more_stirs THEN 'more'
        WHEN opens IS NOT NULL THEN 'rate'
        WHEN EXISTS (SELECT 1 FROM perdure.runs
                      WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NOT NULL AND queue = limits.name)
        THEN 'full'
        ELSE 'empty' END;
END $$;

-- Runs without a key are in the same line, as if they had one: their share where there is more than one place, else in
-- turns with the keys.
CREATE FUNCTION perdure.share_without_key(limits perdure.queues, names text[], most integer, last_attempts text, version text)
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    others integer;
    picked text[];
BEGIN
    others := (SELECT count(*) FROM (SELECT 1 FROM perdure.turns
                                      WHERE queue = limits.name AND wakes_at IS NULL AND key <> ''
                                        AND turn >= limits.line_from LIMIT 64) AS one);
    IF most = 1 AND others > 0 AND (SELECT turn FROM perdure.turns WHERE queue = limits.name AND key = '')
                                   > (SELECT turn FROM perdure.turns
                                       WHERE queue = limits.name AND wakes_at IS NULL AND turn >= limits.line_from
                                       ORDER BY turn LIMIT 1) THEN
        RETURN '{}';
    END IF;
    picked := perdure.candidates(limits.name, names, greatest(1, most / (others + 1)), last_attempts, -2147483648, 0,
                                 version);
    IF others > 0 AND cardinality(picked) > 0 THEN
        INSERT INTO perdure.turns (queue, key, turn) VALUES (limits.name, '', nextval('perdure.turns_given'))
        ON CONFLICT (queue, key) DO UPDATE SET turn = excluded.turn;
    END IF;
    RETURN picked;
END $$;

-- Those that come after these.
CREATE FUNCTION perdure.rest_without_key(of_queue text, names text[], most integer, last_attempts text, keyless text[],
                                         version text)
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    last_priority integer;
    last_seq bigint;
BEGIN
    SELECT priority, seq INTO last_priority, last_seq FROM perdure.runs WHERE id = keyless[cardinality(keyless)];
    RETURN perdure.candidates(of_queue, names, most, last_attempts, coalesce(last_priority, -2147483648),
                              coalesce(last_seq, 0), version);
END $$;

-- Of these runs, those whose keys are not full: for who was found otherwise than by key.
CREATE FUNCTION perdure.with_room_in_their_keys(limits perdure.queues, picked text[], moment timestamptz) RETURNS text[]
LANGUAGE plpgsql AS $$
BEGIN
    RETURN ARRAY(
        SELECT run.id FROM perdure.runs AS run
         WHERE run.id = ANY (picked)
           AND (run.flow_key IS NULL OR limits.key_concurrency IS NULL
                OR limits.key_concurrency > (SELECT count(*) FROM perdure.runs AS other
                                              WHERE other.queue = limits.name AND other.flow_key = run.flow_key
                                                AND other.state = 'held' AND other.has_slot IS NOT NULL))
           AND (run.flow_key IS NULL OR limits.key_rate IS NULL
                OR limits.key_rate > perdure.started_within(limits.name, run.flow_key, limits.key_period_seconds, moment)));
END $$;
