-- Rule 14: how many starts a rolling window has seen that ends at this moment. `starts` has running totals, so the number
-- is the difference of two of them, whatever it is.
CREATE FUNCTION perdure.started_within(of_queue text, of_key text, seconds double precision, moment timestamptz)
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    counted bigint;
    base bigint;
BEGIN
    SELECT total INTO counted FROM perdure.starts WHERE queue = of_queue AND key = of_key ORDER BY total DESC LIMIT 1;
    SELECT total INTO base FROM perdure.starts
     WHERE queue = of_queue AND key = of_key AND at <= moment - make_interval(secs => seconds)
     ORDER BY at DESC, total DESC LIMIT 1;
    RETURN coalesce(counted, 0) - coalesce(base, 0);
END $$;

-- When that window has room for one more.
CREATE FUNCTION perdure.opens_at(of_queue text, of_key text, most integer, seconds double precision)
RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
    counted bigint;
BEGIN
    SELECT total INTO counted FROM perdure.starts WHERE queue = of_queue AND key = of_key ORDER BY total DESC LIMIT 1;
    RETURN (SELECT at + make_interval(secs => seconds) FROM perdure.starts
             WHERE queue = of_queue AND key = of_key AND total > counted - most ORDER BY total LIMIT 1);
END $$;

-- The claim starts these, at this moment: for the first time, or after a death; not what goes on after it was parked or
-- handed back. What no window of these queues and keys looks at any more is removed.
CREATE FUNCTION perdure.note_starts(limits perdure.queues, picked text[], moment timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    WITH start AS MATERIALIZED (
        SELECT flow_key FROM perdure.runs
         WHERE id = ANY (picked) AND (started_at IS NULL OR last_state = 'held')
    ), counted AS MATERIALIZED (
        SELECT '' AS key, count(*) AS times, limits.period_seconds AS seconds FROM start WHERE limits.rate IS NOT NULL
        UNION ALL
        SELECT flow_key, count(*), limits.key_period_seconds FROM start
         WHERE limits.key_rate IS NOT NULL AND flow_key IS NOT NULL GROUP BY flow_key
    ), noted AS (
        INSERT INTO perdure.starts (queue, key, total, at)
        SELECT limits.name, counted.key, counted.times
               + coalesce((SELECT total FROM perdure.starts WHERE queue = limits.name AND key = counted.key
                            ORDER BY total DESC LIMIT 1), 0), moment
          FROM counted WHERE counted.times > 0
    )
    DELETE FROM perdure.starts USING counted
     WHERE starts.queue = limits.name AND starts.key = counted.key
       AND starts.total < (SELECT total FROM perdure.starts AS base
                            WHERE base.queue = limits.name AND base.key = counted.key
                              AND base.at <= moment - make_interval(secs => counted.seconds)
                            ORDER BY at DESC, total DESC LIMIT 1);
END $$;
