-- Rule 3, in two statements: as one, it would take its snapshot, wait for the victim's lock, and miss what a claim
-- commits meanwhile. NULL when somebody else was first, the worker is writing, or it has renewed its lease since `seen`.
-- Dead is only a run that died alone (rule 11): whose worker held nothing else, neither at its claim nor at its death.
-- Waits for no lock on a run: whoever asks has the journal's turn, and asks again soon.
CREATE FUNCTION perdure.take_over(victim uuid, seen double precision) RETURNS text[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    gone uuid;
    back text[];
    cancelled text[];
    ended text[];
BEGIN
    PERFORM perdure.check_session();
    DELETE FROM perdure.workers
     WHERE id = (SELECT id FROM perdure.workers
                  WHERE id = victim AND (seen IS NULL OR extract(epoch FROM renewed_at)::double precision = seen)
                    FOR UPDATE SKIP LOCKED)
    RETURNING id INTO gone;
    IF gone IS NULL THEN
        RETURN NULL;
    END IF;
    back := ARRAY(SELECT id FROM perdure.runs WHERE worker = victim ORDER BY id FOR NO KEY UPDATE NOWAIT);
    WITH fate AS MATERIALIZED (
        SELECT id AS run_id, CASE
                   WHEN EXISTS (SELECT 1 FROM perdure.messages
                                 WHERE messages.run_id = runs.id AND messages.kind = 'cancel' OFFSET 0) THEN 'cancelled'
                   WHEN attempts >= max_attempts AND NOT is_beside AND cardinality(back) = 1
                        AND perdure.progress_of(id) <= progress_mark THEN 'dead'
                   ELSE 'ready'
               END AS becomes
          FROM perdure.runs WHERE worker = victim
    ), over AS (
        UPDATE perdure.runs AS run
           SET state = becomes, worker = NULL, claim = NULL,
               last_state = CASE WHEN becomes = 'ready' THEN 'held' ELSE run.last_state END,  -- its next start counts (14)
               finished_at = CASE WHEN becomes <> 'ready' THEN perdure.now() END,
               reason = CASE WHEN becomes = 'dead' THEN perdure.death(run.max_attempts) ELSE run.reason END
          FROM fate WHERE run.id = fate.run_id
        RETURNING run.id, becomes
    )
    SELECT array_agg(id ORDER BY id) FILTER (WHERE becomes = 'cancelled'), array_agg(id) FILTER (WHERE becomes <> 'ready')
      INTO cancelled, ended FROM over;
    IF cancelled IS NOT NULL THEN
        PERFORM perdure.consume_cancels(cancelled);
    END IF;
    IF ended IS NOT NULL THEN
        PERFORM perdure.tell_ends(ended, NULL);
    END IF;
    -- In a statement after the runs' locks: who has told the victim of one of them has committed.
    UPDATE perdure.wakes SET worker = NULL WHERE worker = victim;
    RETURN back;
END $$;

-- Rule 12: the sessions of a dead worker may hold locks on rows; whoever takes over ends them first. The same proof of
-- death as there. A role that may not end them waits: the server does, after their idle timeout.
CREATE FUNCTION perdure.end_sessions(victim uuid, seen double precision) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_terminate_backend(activity.pid)
       FROM perdure.workers AS worker
       JOIN pg_stat_activity AS activity ON activity.application_name = worker.sessions
      WHERE worker.id = victim AND worker.has_lock AND activity.pid <> pg_backend_pid()
        AND activity.datname = current_database()
        AND (seen IS NULL OR extract(epoch FROM worker.renewed_at)::double precision = seen);
EXCEPTION WHEN insufficient_privilege THEN
    NULL;
END $$;
