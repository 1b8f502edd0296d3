-- A new run of what another one has recorded up to some point. What was to be undone of it is the other one's to undo.
-- 'made'; 'taken' where the id is some run's; 'gone' where the other one has not recorded all of it any more.
CREATE FUNCTION perdure.fork_run(plan json, by_whom text, why text) RETURNS text LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    origin text := plan ->> 'run_id';
    fork text := plan ->> 'fork_id';
    its_seq bigint;
    copied integer;
BEGIN
    PERFORM 1 FROM perdure.runs WHERE id = origin FOR SHARE;
    IF NOT FOUND THEN
        RETURN 'gone';
    END IF;
    -- Begun, if there is a history to read. Its calls are named as those of the other one's round.
    INSERT INTO perdure.runs (id, kind, name, queue, state, priority, started_at, attempts, max_attempts, created_by,
                              fingerprint, flow_key, rounds)
    SELECT fork, kind, coalesce(plan ->> 'name', name), queue, 'ready', priority,
           CASE WHEN json_array_length(plan -> 'kept') > 0 THEN perdure.now() END, 0,
           coalesce((plan ->> 'max_attempts')::integer, max_attempts), fork,
           coalesce(plan ->> 'fingerprint', fingerprint), flow_key, rounds
      FROM perdure.runs WHERE id = origin
    ON CONFLICT (id) DO NOTHING
    RETURNING seq INTO its_seq;
    IF its_seq IS NULL THEN
        RETURN 'taken';
    END IF;
    INSERT INTO perdure.inputs (run_id, codec, body)
    SELECT fork, coalesce(plan -> 'input' ->> 'codec', codec), coalesce(plan -> 'input' ->> 'text', body)
      FROM perdure.inputs WHERE run_id = origin;
    INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                                     attempts, started_at, arguments, recorded_at)
    SELECT fork, one.key, claim, entry_id, position, kind, name, fingerprint, is_error OR kind = 'undo', codec,
           coalesce(plan -> 'order' ->> one.key, body), attempts, started_at, arguments, recorded_at
      FROM json_array_elements_text(plan -> 'kept') WITH ORDINALITY AS kept (key, place)
     CROSS JOIN LATERAL (SELECT * FROM perdure.checkpoints
                          WHERE run_id = origin AND checkpoints.key = kept.key OFFSET 0) AS one
     ORDER BY kept.place;
    GET DIAGNOSTICS copied = ROW_COUNT;
    IF copied <> json_array_length(plan -> 'kept') THEN
        DELETE FROM perdure.checkpoints WHERE run_id = fork;
        DELETE FROM perdure.inputs WHERE run_id = fork;
        DELETE FROM perdure.runs WHERE id = fork;
        RETURN 'gone';
    END IF;
    -- Streams, as far as they were written by what it has; at the offsets that they have there.
    INSERT INTO perdure.streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, since, behind, codec,
                                 body, written_at)
    SELECT fork, name, first, count, CASE WHEN is_kept THEN kind ELSE 'void' END, source, attempt, claim, entry_id, since,
           0, CASE WHEN is_kept THEN codec END, CASE WHEN is_kept THEN body END, written_at
      FROM (SELECT row.*, row.kind IN ('rewound', 'void') OR EXISTS (
                       SELECT 1 FROM json_array_elements_text(plan -> 'kept') AS kept WHERE kept = row.source)
                   OR (row.source LIKE '%*'
                       AND row.behind < coalesce((plan ->> 'since')::bigint, 9223372036854775807)) AS is_kept
              FROM perdure.streams AS row WHERE row.run_id = origin AND copied > 0) AS written;
    INSERT INTO perdure.attributes (run_id, name, value, seq)
    SELECT fork, name, value, its_seq FROM perdure.attributes WHERE run_id = origin AND name <> 'forked_from'
    UNION ALL SELECT fork, 'forked_from', origin, its_seq;
    INSERT INTO perdure.wakes (run_id) VALUES (fork);
    INSERT INTO perdure.audit (who, action, run_id, detail)
    VALUES (by_whom, 'fork', origin, 'into ' || fork || coalesce('; ' || why, '')), (by_whom, 'forked', fork, 'from ' || origin);
    RETURN 'made';
END $$;
