-- The runs that were picked are held from now on, each under a fresh claim, those from number `used` on. The attempt is
-- charged here and nowhere else; the count starts anew where steps were recorded since (rule 11). Whether its worker
-- holds anything else is looked up for a run at its last attempt alone, whose death may be the end of it: the answer for
-- all would walk all that this worker has held since the oldest snapshot. `is_shared`: limits of its queue hold for all
-- workers together, and it counts for them.
CREATE FUNCTION perdure.take(me uuid, picked text[], claims uuid[], used integer, is_not_alone boolean,
                             moment timestamptz, is_shared boolean)
RETURNS TABLE (nth integer, id text, kind text, name text, queue text, priority integer, codec text, body text,
               attempts integer, max_attempts integer, is_fresh boolean, parent_id text, parent_key text,
               is_cancelled boolean, claimed_at double precision, incarnation integer,
               deadline_at double precision, is_detached boolean, rounds integer, seq bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH charge AS MATERIALIZED (
        SELECT picked.id, run.is_fresh, used + picked.ordinality::integer AS nth,
               CASE WHEN run.is_fresh THEN 0 ELSE perdure.progress_of(picked.id)::integer END AS steps
          FROM unnest(picked) WITH ORDINALITY AS picked (id, ordinality)
         CROSS JOIN LATERAL (SELECT runs.started_at IS NULL AS is_fresh FROM perdure.runs
                              WHERE runs.id = picked.id OFFSET 0) AS run
    ), held AS (
        UPDATE perdure.runs AS run
           SET state = 'held', worker = me, claim = claims[charge.nth], reason = NULL,
               started_at = coalesce(run.started_at, moment), has_slot = CASE WHEN is_shared THEN true END,
               last_state = nullif(run.last_state, 'held'),
               attempts = CASE WHEN charge.steps > run.progress_mark THEN 1 ELSE run.attempts + 1 END,
               progress_mark = greatest(run.progress_mark, charge.steps),
               is_beside = CASE
                   WHEN CASE WHEN charge.steps > run.progress_mark THEN 1 ELSE run.attempts + 1 END < run.max_attempts
                   THEN false
                   ELSE is_not_alone OR EXISTS (SELECT 1 FROM perdure.runs AS mine WHERE mine.worker = me) END
          FROM charge
         WHERE run.id = charge.id
        RETURNING charge.nth, run.id, run.kind, run.name, run.queue, run.priority, run.attempts,
                  run.max_attempts, charge.is_fresh, run.parent_id, run.parent_key, run.incarnation, run.deadline_at,
                  run.is_detached, run.rounds, run.seq
    )
    SELECT held.nth, held.id, held.kind, held.name, held.queue, held.priority, input.codec, input.body,
           held.attempts, held.max_attempts, held.is_fresh, held.parent_id, held.parent_key,
           EXISTS (SELECT 1 FROM perdure.messages
                    WHERE messages.run_id = held.id AND messages.kind = 'cancel' OFFSET 0),
           extract(epoch FROM moment)::double precision, held.incarnation,
           extract(epoch FROM held.deadline_at)::double precision, held.is_detached, held.rounds, held.seq
      FROM held CROSS JOIN LATERAL (SELECT inputs.codec, inputs.body FROM perdure.inputs
                                     WHERE inputs.run_id = held.id OFFSET 0) AS input
     ORDER BY held.nth;
END $$;
