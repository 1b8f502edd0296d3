-- Which of these functions have something in a queue that waits to be begun, now or later. From name to name in the indexes,
-- so that what a program knows and nobody has asked for costs nothing, however much that is; and nothing of a function is
-- walked but its first entry. With a floor all of them: what was taken lately may still be in the index (`floors`).
CREATE FUNCTION perdure.waiting_names(of_queue text, names text[], has_floor boolean) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 10 AS $$
DECLARE
    last text := '';
BEGIN
    IF has_floor THEN
        RETURN QUERY SELECT unnest(names);
        RETURN;
    END IF;
    LOOP
        last := least(
            (SELECT min(name) FROM perdure.runs
              WHERE state = 'ready' AND due_at IS NULL AND flow_key IS NULL AND queue = of_queue AND name > last),
            (SELECT min(name) FROM perdure.runs
              WHERE state = 'ready' AND due_at IS NULL AND attempts > 0 AND attempts >= max_attempts - 1
                AND queue = of_queue AND name > last),
            (SELECT min(name) FROM perdure.runs
              WHERE state IN ('ready', 'parked') AND due_at IS NOT NULL AND stopped IS NULL
                AND queue = of_queue AND name > last));
        EXIT WHEN last IS NULL;
        IF last = ANY (names) THEN
            RETURN NEXT last;
        END IF;
    END LOOP;
END $$;

-- The same of what has a time only, and of that when it has come or not. Where a program knows few functions, it is cheaper
-- to ask for each of them.
CREATE FUNCTION perdure.timed_names(of_queue text, names text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE ROWS 10 AS $$
DECLARE
    last text := '';
BEGIN
    IF cardinality(names) <= 8 THEN
        RETURN QUERY SELECT unnest(names);
        RETURN;
    END IF;
    LOOP
        last := (SELECT min(name) FROM perdure.runs
                  WHERE state IN ('ready', 'parked') AND due_at IS NOT NULL AND stopped IS NULL
                    AND queue = of_queue AND name > last);
        EXIT WHEN last IS NULL;
        IF last = ANY (names) THEN
            RETURN NEXT last;
        END IF;
    END LOOP;
END $$;
