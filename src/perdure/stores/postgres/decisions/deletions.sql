-- These runs, their children down the tree, and the runs that undo what they did: all of it, of those of which all has
-- ended, and which no unfinished run has made, or needs. Which of them were deleted, and how many rows of `runs` that were.
CREATE FUNCTION perdure.delete_runs(wanted text[], by_whom text, why text, OUT deleted text[], OUT total integer)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    family text[];
    root text;
BEGIN
    deleted := '{}';
    total := 0;
    FOREACH root IN ARRAY wanted LOOP
        CONTINUE WHEN EXISTS (
            SELECT 1 FROM perdure.runs AS run
              CROSS JOIN LATERAL (SELECT finished_at FROM perdure.runs AS parent WHERE parent.id = run.parent_id OFFSET 0) AS parent
             WHERE run.id = root AND parent.finished_at IS NULL);
        PERFORM 1 FROM perdure.runs WHERE id = root FOR UPDATE;
        SELECT array_agg(id) INTO family FROM perdure.families_of(ARRAY[root], 2147483647);
        CONTINUE WHEN family IS NULL;
        PERFORM 1 FROM perdure.runs WHERE id = ANY (family) ORDER BY id FOR UPDATE;
        CONTINUE WHEN EXISTS (SELECT 1 FROM perdure.runs WHERE id = ANY (family) AND finished_at IS NULL);
        CONTINUE WHEN perdure.are_needed(family);
        PERFORM perdure.remove_runs(family);
        INSERT INTO perdure.audit (who, action, run_id, detail) SELECT by_whom, 'delete', unnest(family), why;
        deleted := deleted || root;
        total := total + cardinality(family);
    END LOOP;
END $$;

-- Whether something unfinished waits for one of these, was made of one, or has asked for the end of one by a call that
-- found it.
CREATE FUNCTION perdure.are_needed(family text[]) RETURNS boolean LANGUAGE sql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    SELECT EXISTS (SELECT 1 FROM perdure.waits WHERE awaited = ANY (family) OFFSET 0)
           OR EXISTS (SELECT 1 FROM perdure.attributes
                       CROSS JOIN LATERAL (SELECT finished_at FROM perdure.runs WHERE runs.id = attributes.run_id OFFSET 0) AS fork
                       WHERE attributes.name = 'forked_from' AND attributes.value = ANY (family) AND fork.finished_at IS NULL
                      OFFSET 0)
           OR EXISTS (SELECT 1 FROM unnest(family) AS one (id)
                       CROSS JOIN LATERAL (SELECT run_id FROM perdure.checkpoints
                                            WHERE kind = 'child' AND attempts = 0 AND body = to_json(one.id)::text
                                            UNION ALL  -- other letters are stored as escapes
                                           SELECT run_id FROM perdure.checkpoints
                                            WHERE one.id ~ '[^ -~]' AND kind = 'child' AND attempts = 0
                                              AND body::json #>> '{}' = one.id) AS call
                       CROSS JOIN LATERAL (SELECT finished_at FROM perdure.runs WHERE runs.id = call.run_id OFFSET 0) AS caller
                       WHERE caller.finished_at IS NULL OFFSET 0)
$$;
