-- How far a run has come: the attempts count anew when that is further than at the last charge (rule 11). Ended children
-- count too: a parent that waits for many records no step of its own, and would be dead of its worker's restarts.
CREATE FUNCTION perdure.progress_of(run text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (SELECT count(*) FROM perdure.checkpoints WHERE checkpoints.run_id = run
                                                    AND checkpoints.kind IN ('step', 'recv', 'update'))
         + (SELECT count(*) FROM perdure.runs WHERE runs.parent_id = run AND runs.finished_at IS NOT NULL)
$$;

-- Why a run is dead.
CREATE FUNCTION perdure.death(limit_ integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('ended its worker at each of %s attempts; see the log of the workers, and retry it once that is '
                  'mended (`perdure runs retry`)', limit_)
$$;
