-- Scratch of one claim, in the memory of this connection: what was picked, which keys were looked at, which of them are full.
CREATE TEMP TABLE picks (nth INTEGER PRIMARY KEY, run INTEGER NOT NULL UNIQUE, key TEXT);
CREATE INDEX temp.picks_of_keys ON picks (key);
CREATE TEMP TABLE looked (
    turn INTEGER PRIMARY KEY, key TEXT NOT NULL, by_slots INTEGER, by_window INTEGER, got INTEGER, has_more INTEGER
);
CREATE TEMP TABLE full_keys (key TEXT PRIMARY KEY);

-- How many starts each window has seen that ends now: that of the queue (an empty key), and those of the keys looked at.
-- `starts` has running totals, so the number is the difference of two of them, whatever it is.
CREATE TEMP VIEW windows AS
SELECT wanted.key,
       coalesce((SELECT total FROM starts WHERE starts.queue = asked.queue AND starts.key = wanted.key
                  ORDER BY total DESC LIMIT 1), 0)
       - coalesce((SELECT total FROM starts WHERE starts.queue = asked.queue AND starts.key = wanted.key
                      AND at <= asked.moment - wanted.seconds ORDER BY at DESC, total DESC LIMIT 1), 0) AS started
  FROM asked
 CROSS JOIN (SELECT '' AS key, period_seconds AS seconds FROM queues WHERE name = (SELECT queue FROM asked)
             UNION ALL
             SELECT looked.key, key_period_seconds FROM looked CROSS JOIN queues
              WHERE queues.name = (SELECT queue FROM asked) AND key_rate IS NOT NULL) AS wanted;

-- Rule 14: what may begin now of a queue whose limits hold for all workers together. There is one writer, so every count is
-- final. Runs that go on are served before anything new; those for which there is no room ask for a slot, and until they
-- have it nothing new takes it, in whatever process.
CREATE TEMP TRIGGER choose_shared INSTEAD OF INSERT ON choice WHEN NEW.is_shared
BEGIN
    DELETE FROM picks;
    DELETE FROM looked;
    DELETE FROM full_keys;

    UPDATE runs SET has_slot = may
      FROM (SELECT of_run, fits AND sum(fits) OVER (ORDER BY place) <= free AS may
              FROM (SELECT run.seq AS of_run, claims.key AS place,
                           run.flow_key IS NULL OR key_concurrency IS NULL
                           OR row_number() OVER (PARTITION BY run.flow_key ORDER BY claims.key)
                              <= key_concurrency - (SELECT count(*) FROM runs AS other
                                                     WHERE other.queue = asked.queue AND other.flow_key = run.flow_key
                                                       AND other.state = 'held' AND other.has_slot IS NOT NULL
                                                       AND other.has_slot) AS fits,
                           iif(concurrency IS NULL, 1000000,
                               concurrency - (SELECT count(*) FROM runs AS other
                                               WHERE other.queue = asked.queue AND other.state = 'held'
                                                 AND other.has_slot IS NOT NULL AND other.has_slot)) AS free
                      FROM asked
                     CROSS JOIN queues
                     CROSS JOIN json_each(asked.resuming) AS claims
                     CROSS JOIN runs AS run
                     WHERE queues.name = asked.queue AND run.worker = asked.worker_id AND run.claim = claims.value
                       AND run.state = 'held' AND run.has_slot IS NOT 1)) AS asker
     WHERE seq = of_run;

    UPDATE asked
       SET resumed = (SELECT json_group_array(claims.value) FROM json_each(asked.resuming) AS claims CROSS JOIN runs
                       WHERE runs.worker = asked.worker_id AND runs.claim = claims.value AND runs.has_slot),
           free = limits.free,
           room = iif(limits.is_paused, 0, max(0, min(limits.own, coalesce(limits.free, 1000000),
                                                      coalesce(limits.by_window, 1000000)))),
           short_by = CASE WHEN limits.is_paused THEN 'paused'
                           WHEN limits.by_window < min(limits.own, coalesce(limits.free, 1000000)) THEN 'rate'
                           ELSE 'full' END
      FROM (SELECT paused_at IS NOT NULL AS is_paused,
                   iif(concurrency IS NULL, NULL,
                       concurrency - (SELECT count(*) FROM runs WHERE runs.queue = queues.name AND runs.state = 'held'
                                                                  AND runs.has_slot IS NOT NULL)) AS free,
                   rate - (SELECT started FROM windows WHERE key = '') AS by_window,
                   (SELECT most FROM room) AS own
              FROM queues WHERE name = (SELECT queue FROM asked)) AS limits;
    UPDATE asked SET most = room;

    INSERT INTO picks (run)
    SELECT candidates.seq
      FROM candidates CROSS JOIN asked CROSS JOIN queues CROSS JOIN runs
     WHERE queues.name = asked.queue AND runs.seq = candidates.seq AND asked.room > 0
       AND (NOT asked.is_keyed OR asked.last_attempts = 'alone')
       AND (runs.flow_key IS NULL OR key_concurrency IS NULL
            OR key_concurrency > (SELECT count(*) FROM runs AS other
                                   WHERE other.queue = asked.queue AND other.flow_key = runs.flow_key
                                     AND other.state = 'held' AND other.has_slot IS NOT NULL))
       AND (runs.flow_key IS NULL OR key_rate IS NULL
            OR NOT EXISTS (SELECT 1 FROM starts AS latest
                            WHERE latest.queue = asked.queue AND latest.key = runs.flow_key
                              AND latest.at > asked.moment - key_period_seconds
                              AND latest.total >= key_rate
                                  + coalesce((SELECT base.total FROM starts AS base
                                               WHERE base.queue = asked.queue AND base.key = runs.flow_key
                                                 AND base.at <= asked.moment - key_period_seconds
                                               ORDER BY base.at DESC, base.total DESC LIMIT 1), 0)));
    UPDATE asked SET short_by = 'empty'
     WHERE NOT (is_keyed AND last_attempts <> 'alone') AND (SELECT count(*) FROM picks) < room;

    INSERT INTO keyed_choice (room) SELECT room FROM asked WHERE is_keyed AND last_attempts <> 'alone' AND room > 0;
    INSERT INTO overflow (how)
    SELECT on_overflow FROM queues CROSS JOIN asked
     WHERE queues.name = asked.queue AND on_overflow <> 'wait' AND paused_at IS NULL AND last_attempts <> 'alone';

    -- A start is one that is the first, or follows a death; not what goes on after it was parked or handed back.
    INSERT INTO starts (queue, key, total, at)
    SELECT asked.queue, started.key, started.times
           + coalesce((SELECT total FROM starts WHERE starts.queue = asked.queue AND starts.key = started.key
                        ORDER BY total DESC LIMIT 1), 0), asked.moment
      FROM asked
     CROSS JOIN (SELECT '' AS key, count(*) AS times FROM picks CROSS JOIN runs
                  WHERE runs.seq = picks.run AND (started_at IS NULL OR last_state IS 'held')
                    AND (SELECT rate FROM queues WHERE name = (SELECT queue FROM asked)) IS NOT NULL
                 UNION ALL
                 SELECT flow_key, count(*) FROM picks CROSS JOIN runs
                  WHERE runs.seq = picks.run AND (started_at IS NULL OR last_state IS 'held') AND flow_key IS NOT NULL
                    AND (SELECT key_rate FROM queues WHERE name = (SELECT queue FROM asked)) IS NOT NULL
                  GROUP BY flow_key) AS started
     WHERE started.times > 0;
    DELETE FROM starts
     WHERE queue = (SELECT queue FROM asked)
       AND key IN (SELECT '' UNION SELECT flow_key FROM picks CROSS JOIN runs
                    WHERE runs.seq = picks.run AND flow_key IS NOT NULL)
       AND total < (SELECT base.total FROM starts AS base CROSS JOIN queues
                     WHERE queues.name = base.queue AND base.queue = starts.queue AND base.key = starts.key
                       AND base.at <= (SELECT moment FROM asked)
                                      - coalesce(iif(starts.key = '', period_seconds, key_period_seconds), 0)
                     ORDER BY base.at DESC, base.total DESC LIMIT 1);
    UPDATE asked
       SET opens_at = (SELECT at + period_seconds FROM starts CROSS JOIN queues
                        WHERE queues.name = asked.queue AND starts.queue = asked.queue AND starts.key = ''
                          AND total > (SELECT max(latest.total) FROM starts AS latest
                                        WHERE latest.queue = asked.queue AND latest.key = '') - rate
                        ORDER BY total LIMIT 1)
     WHERE short_by = 'rate' AND opens_at IS NULL;

    UPDATE asked
       SET short_by = iif(short_by = 'more' OR (SELECT count(*) FROM picks) >= slots, NULL, short_by),
           taken = (SELECT json_group_array(json_array(
                               run, started_at IS NULL,
                               iif(started_at IS NULL, 0,
                                   (SELECT steps FROM run_progress WHERE run_progress.id = runs.id)),
                               asked.last_attempts = 'beside' OR (SELECT holds_some FROM room)))
                      FROM (SELECT nth, run FROM picks ORDER BY nth) CROSS JOIN runs WHERE runs.seq = run);
END;
