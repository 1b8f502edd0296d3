-- Whether a worker is left that knows the function, serves the queue, and has none of these versions of the code.
CREATE FUNCTION perdure.is_for_others(of_queue text, of_name text, versions text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM perdure.workers
                    WHERE of_queue = ANY (queues) AND of_name = ANY (names) AND coalesce(version, '') <> ALL (versions))
$$;

-- What was refused is looked at again: where this worker has another version of the code, it becomes ready; where nobody
-- is left who could take it, it waits for a mend. How many became ready.
CREATE FUNCTION perdure.reconsider(me uuid, served text[], known text[]) RETURNS integer LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    its_version text := (SELECT coalesce(version, '') FROM perdure.workers WHERE id = me);
    ids text[];
BEGIN
    ids := ARRAY(SELECT id FROM perdure.runs
                  WHERE refused_by IS NOT NULL AND finished_at IS NULL AND name = ANY (known) AND state = 'ready'
                    AND NOT perdure.is_for_others(queue, name, refused_by)
                  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
    UPDATE perdure.runs SET state = 'parked', stopped = 'mend', due_at = NULL WHERE id = ANY (ids) AND state = 'ready';
    ids := ARRAY(SELECT id FROM perdure.runs
                  WHERE refused_by IS NOT NULL AND finished_at IS NULL AND name = ANY (known) AND queue = ANY (served)
                    AND state = 'parked' AND stopped = 'mend' AND its_version <> ALL (refused_by)
                  ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
    UPDATE perdure.runs SET state = 'ready', stopped = NULL WHERE id = ANY (ids) AND state = 'parked';
    RETURN cardinality(ids);
END $$;
