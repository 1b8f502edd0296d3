-- The first of the keys that are in line, in their turns; of a key the oldest of the lowest priority. Nothing is ever in it.
CREATE TEMP VIEW keyed_choice AS SELECT NULL AS room WHERE FALSE;
CREATE TEMP TRIGGER choose_by_key INSTEAD OF INSERT ON keyed_choice
BEGIN
    INSERT INTO turns (queue, key)
    SELECT asked.queue, first.key
      FROM asked CROSS JOIN (SELECT key, min(seq) AS since
                               FROM (SELECT key, seq FROM stirs WHERE queue = (SELECT queue FROM asked)
                                      ORDER BY seq LIMIT 1000)
                              GROUP BY key ORDER BY since) AS first
     WHERE true
    ON CONFLICT (queue, key) DO NOTHING;
    DELETE FROM stirs WHERE seq IN (SELECT seq FROM stirs WHERE queue = (SELECT queue FROM asked) ORDER BY seq LIMIT 1000);
    UPDATE turns SET wakes_at = NULL
     WHERE queue = (SELECT queue FROM asked) AND wakes_at IS NOT NULL
       AND (wakes_at <= (SELECT moment FROM asked)
            OR (SELECT key_rate FROM queues WHERE name = (SELECT queue FROM asked)) IS NULL);

    -- Runs without a key are in the same line, as if they had one: their share where there is more than one place, else
    -- in turns with the keys.
    UPDATE asked
       SET after_turn = -1,
           last_turn = (SELECT max(turn) FROM turns WHERE turns.queue = asked.queue AND wakes_at IS NULL),
           most = CASE
               WHEN in_line = 0 THEN room
               WHEN room = 1 AND keyless_turn > first_turn THEN 0
               ELSE max(1, room / (in_line + 1)) END
      FROM (SELECT (SELECT count(*) FROM (SELECT 1 FROM turns WHERE queue = (SELECT queue FROM asked)
                                             AND wakes_at IS NULL AND key <> '' LIMIT 64)) AS in_line,
                   (SELECT turn FROM turns WHERE queue = (SELECT queue FROM asked) AND key = '') AS keyless_turn,
                   (SELECT min(turn) FROM turns WHERE queue = (SELECT queue FROM asked)
                                                  AND wakes_at IS NULL) AS first_turn) AS line;
    INSERT INTO picks (run, key) SELECT seq, '' FROM candidates WHERE (SELECT most FROM asked) > 0;
    DELETE FROM turns WHERE queue = (SELECT queue FROM asked) AND key = '' AND EXISTS (SELECT 1 FROM picks);
    INSERT INTO turns (queue, key) SELECT queue, '' FROM asked
     WHERE EXISTS (SELECT 1 FROM picks) AND last_turn IS NOT NULL;

    -- Most of the time those that are next have something: few are looked at first, for each costs its share.
    INSERT INTO look (keys) SELECT max(8, room) FROM asked WHERE (SELECT count(*) FROM picks) < room;
    INSERT INTO look (keys) SELECT max(64, room) FROM asked WHERE (SELECT count(*) FROM picks) < room;
    INSERT INTO look (keys) SELECT max(512, room) FROM asked WHERE (SELECT count(*) FROM picks) < room;

    -- The keys have left something.
    UPDATE asked SET most = room - (SELECT count(*) FROM picks WHERE key <> '');
    INSERT INTO picks (run, key) SELECT seq, '' FROM candidates
     WHERE (SELECT count(*) FROM picks) < (SELECT room FROM asked) AND seq NOT IN (SELECT run FROM picks);

    UPDATE asked
       SET opens_at = (SELECT min(wakes_at) FROM turns WHERE turns.queue = asked.queue AND wakes_at IS NOT NULL),
           short_by = CASE
               WHEN (SELECT count(*) FROM picks) >= room THEN short_by
               WHEN EXISTS (SELECT 1 FROM picks) OR EXISTS (SELECT 1 FROM stirs WHERE stirs.queue = asked.queue) THEN 'more'
               WHEN EXISTS (SELECT 1 FROM turns WHERE turns.queue = asked.queue AND wakes_at IS NOT NULL) THEN 'rate'
               WHEN EXISTS (SELECT 1 FROM runs WHERE runs.queue = asked.queue AND state = 'ready' AND due_at IS NULL
                                                 AND flow_key IS NOT NULL) THEN 'full'
               ELSE 'empty' END;
    UPDATE asked SET opens_at = NULL WHERE (SELECT count(*) FROM picks) >= room;
END;

-- A look at so many keys that are next in line. Who has got its share and has more goes to the end of the line; who has
-- nothing more, or is full, leaves it: the next run that becomes ready, or the next end, stirs it; who has used its window
-- sleeps until that opens.
CREATE TEMP VIEW look AS SELECT NULL AS keys WHERE FALSE;
CREATE TEMP TRIGGER look_at_keys INSTEAD OF INSERT ON look
BEGIN
    DELETE FROM looked;
    INSERT INTO looked (turn, key)
    SELECT turn, key FROM turns
     WHERE queue = (SELECT queue FROM asked) AND wakes_at IS NULL AND key <> ''
       AND turn > (SELECT after_turn FROM asked) AND turn <= (SELECT last_turn FROM asked)
     ORDER BY turn LIMIT NEW.keys;
    UPDATE looked
       SET by_slots = coalesce(key_concurrency
                               - (SELECT count(*) FROM runs
                                   WHERE runs.queue = queues.name AND runs.flow_key = looked.key
                                     AND runs.state = 'held' AND runs.has_slot IS NOT NULL), 1000000),
           by_window = iif(key_rate IS NULL, 1000000, key_rate - (SELECT started FROM windows WHERE windows.key = looked.key))
      FROM queues WHERE queues.name = (SELECT queue FROM asked);

    INSERT INTO picks (run, key)
    SELECT run.value, looked.key
      FROM looked
     CROSS JOIN json_each((SELECT json_group_array(seq) FROM (
               SELECT seq FROM runs AS one
                WHERE one.state = 'ready' AND one.due_at IS NULL AND one.flow_key IS NOT NULL
                  AND one.queue = (SELECT queue FROM asked) AND one.flow_key = looked.key
                  AND one.name IN (SELECT value FROM json_each((SELECT names FROM asked)))
                  AND (one.refused_by IS NULL
                       OR NOT EXISTS (SELECT 1 FROM json_each(one.refused_by) AS refused
                                       CROSS JOIN workers
                                       WHERE workers.id = (SELECT worker_id FROM asked)
                                         AND workers.version = refused.value))
                  AND ((SELECT last_attempts FROM asked) = 'beside' OR one.attempts = 0
                       OR one.attempts < one.max_attempts - 1
                       OR (SELECT steps FROM run_progress WHERE run_progress.id = one.id) > one.progress_mark)
                ORDER BY one.priority, one.seq
                LIMIT (SELECT (asked.room - (SELECT count(*) FROM picks) + (SELECT count(*) FROM looked) - 1)
                              / max(1, (SELECT count(*) FROM looked)) FROM asked)))) AS run
     WHERE run.key < min(looked.by_slots, looked.by_window)
     ORDER BY looked.turn, run.key
     LIMIT (SELECT asked.room - (SELECT count(*) FROM picks) FROM asked);

    DELETE FROM looked
     WHERE (SELECT count(*) FROM picks) >= (SELECT room FROM asked)
       AND turn > (SELECT max(one.turn) FROM looked AS one CROSS JOIN picks WHERE picks.key = one.key);
    UPDATE looked SET got = (SELECT count(*) FROM picks WHERE picks.key = looked.key);
    UPDATE looked
       SET by_slots = by_slots - got, by_window = by_window - got,
           has_more = EXISTS (SELECT 1 FROM runs AS one
                               WHERE one.state = 'ready' AND one.due_at IS NULL AND one.flow_key IS NOT NULL
                                 AND one.queue = (SELECT queue FROM asked) AND one.flow_key = looked.key
                                 AND one.seq NOT IN (SELECT run FROM picks));
    UPDATE asked SET after_turn = coalesce((SELECT max(turn) FROM looked), last_turn);
    INSERT OR IGNORE INTO full_keys (key) SELECT key FROM looked WHERE has_more AND by_slots <= 0;

    DELETE FROM turns
     WHERE turn IN (SELECT turn FROM looked WHERE NOT has_more OR by_slots <= 0 OR by_window > 0);
    INSERT INTO turns (queue, key)
    SELECT (SELECT queue FROM asked), key FROM looked WHERE has_more AND by_slots > 0 AND by_window > 0 ORDER BY turn;
    UPDATE turns
       SET wakes_at = coalesce((SELECT at FROM starts
                                 WHERE starts.queue = turns.queue AND starts.key = turns.key
                                   AND at > (SELECT moment FROM asked) - key_period_seconds
                                 ORDER BY at LIMIT 1), (SELECT moment FROM asked)) + key_period_seconds
      FROM queues
     WHERE turn IN (SELECT turn FROM looked WHERE has_more AND by_slots > 0 AND by_window <= 0)
       AND queues.name = turns.queue;
END;
