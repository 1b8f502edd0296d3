-- Which runs of a queue come first, the oldest of the lowest priority: the first of each function that the worker knows,
-- merged, so that those of all others cost nothing. Locked: NO KEY UPDATE, since UPDATE would skip a run while someone's
-- open transaction sends to it (rule 4). Those that others have locked just now are passed by, and what follows them is
-- looked at. Nothing is looked at up to the floor: while somebody has an old snapshot open, what was taken since is still
-- in the index, and every claim would walk all of it. Nor what the worker's own `version` of the code has refused. CASE, so
-- that the index of what is ready is not walked for ids. Of many functions only those are asked for that have something.
CREATE FUNCTION perdure.candidates(of_queue text, names text[], most integer, last_attempts text,
                                   floor_priority integer, floor_seq bigint, version text)
RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    picked text[] := '{}';
    looked_at integer := most;
    ids text[];
    priorities integer[];
    seqs bigint[];
BEGIN
    IF cardinality(names) > 8 AND floor_seq = 0 THEN
        names := ARRAY(SELECT perdure.waiting_names(of_queue, names, false));
    END IF;
    LOOP
        IF last_attempts = 'alone' THEN
            SELECT array_agg(id), array_agg(priority), array_agg(seq) INTO ids, priorities, seqs
              FROM (SELECT run.*
                      FROM unnest(names) AS of_name
                     CROSS JOIN LATERAL (
                               SELECT id, priority, seq FROM perdure.runs
                                WHERE state = 'ready' AND due_at IS NULL AND queue = of_queue AND name = of_name
                                  AND attempts > 0 AND attempts >= max_attempts - 1
                                  AND perdure.progress_of(id) <= progress_mark
                                  AND (priority, seq) > (floor_priority, floor_seq)
                                  AND (refused_by IS NULL OR version <> ALL (refused_by))
                                ORDER BY priority, seq LIMIT looked_at) AS run
                     ORDER BY run.priority, run.seq LIMIT looked_at) AS first;
        ELSE
            SELECT array_agg(id), array_agg(priority), array_agg(seq) INTO ids, priorities, seqs
              FROM (SELECT run.*
                      FROM unnest(names) AS of_name
                     CROSS JOIN LATERAL (
                               SELECT id, priority, seq FROM perdure.runs
                                WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL
                                  AND queue = of_queue AND name = of_name
                                  AND (last_attempts = 'beside' OR CASE
                                           WHEN attempts = 0 OR attempts < max_attempts - 1 THEN true
                                           ELSE perdure.progress_of(id) > progress_mark END)
                                  AND (priority, seq) > (floor_priority, floor_seq)
                                  AND (refused_by IS NULL OR version <> ALL (refused_by))
                                ORDER BY priority, seq LIMIT looked_at) AS run
                     ORDER BY run.priority, run.seq LIMIT looked_at) AS first;
        END IF;
        EXIT WHEN ids IS NULL;
        picked := picked || ARRAY(SELECT id FROM perdure.runs
                                   WHERE id = ANY (ids)
                                     AND CASE state WHEN 'ready' THEN due_at IS NULL ELSE false END
                                   ORDER BY priority, seq LIMIT most - cardinality(picked)
                                     FOR NO KEY UPDATE SKIP LOCKED);
        EXIT WHEN cardinality(picked) >= most OR cardinality(ids) < looked_at;
        floor_priority := priorities[cardinality(ids)];
        floor_seq := seqs[cardinality(ids)];
        looked_at := greatest(2 * looked_at, 64);
    END LOOP;
    RETURN picked;
END $$;
