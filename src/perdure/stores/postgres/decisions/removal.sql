-- Those of these runs that are there, those that they have made, down the tree, and those that undo what they did, at most
-- so many; whether each has ended.
CREATE FUNCTION perdure.families_of(wanted text[], most integer)
RETURNS TABLE (root text, id text, has_ended boolean) LANGUAGE sql STABLE
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    WITH RECURSIVE tree (root, id) AS (
        SELECT one COLLATE "C", one COLLATE "C" FROM unnest(wanted) AS one
         UNION
        SELECT tree.root, found.id
          FROM tree
         CROSS JOIN LATERAL (
                   SELECT child.id FROM perdure.runs AS child WHERE child.parent_id = tree.id
                    UNION ALL
                   SELECT undoer.id
                     FROM perdure.attributes
                    CROSS JOIN LATERAL (SELECT runs.id FROM perdure.runs
                                         WHERE runs.id = attributes.run_id AND runs.name = 'perdure:undo' OFFSET 0) AS undoer
                    WHERE attributes.name = 'undo' AND attributes.value = tree.id) AS found
    )
    SELECT tree.root, tree.id, run.finished_at IS NOT NULL
      FROM (SELECT * FROM tree LIMIT most) AS tree
     CROSS JOIN LATERAL (SELECT finished_at FROM perdure.runs WHERE runs.id = tree.id OFFSET 0) AS run
$$;

-- These runs, whose rows the caller has locked, and all that belongs to them. A table of runs is a line in here.
CREATE FUNCTION perdure.remove_runs(gone text[]) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    DELETE FROM perdure.inputs WHERE run_id = ANY (gone);
    DELETE FROM perdure.outputs WHERE run_id = ANY (gone);
    DELETE FROM perdure.checkpoints WHERE run_id = ANY (gone);
    DELETE FROM perdure.streams WHERE run_id = ANY (gone);
    DELETE FROM perdure.progress WHERE run_id = ANY (gone);
    DELETE FROM perdure.messages WHERE run_id = ANY (gone);
    DELETE FROM perdure.attributes WHERE run_id = ANY (gone);
    DELETE FROM perdure.hooks WHERE run_id = ANY (gone);
    DELETE FROM perdure.waits WHERE waiter = ANY (gone);
    DELETE FROM perdure.wakes WHERE run_id = ANY (gone);
    DELETE FROM perdure.questions WHERE run_id = ANY (gone);
    DELETE FROM perdure.runs WHERE id = ANY (gone);
END $$;
