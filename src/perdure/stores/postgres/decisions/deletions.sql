-- These runs, their children down the tree, and the runs that undo what they did: all of it, of those of which all has
-- ended, and which no unfinished run has made. Which of them were deleted, and how many rows of `runs` that were.
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
        PERFORM perdure.remove_runs(family);
        INSERT INTO perdure.audit (who, action, run_id, detail) SELECT by_whom, 'delete', unnest(family), why;
        deleted := deleted || root;
        total := total + cardinality(family);
    END LOOP;
END $$;
