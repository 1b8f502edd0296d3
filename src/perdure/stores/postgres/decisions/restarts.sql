-- Start runs anew, each from where its plan says, all of them or none: a plan was made of what was read before, and holds
-- only while that is so. False: it is not any more, and nothing was done.
CREATE FUNCTION perdure.restart_runs(plans json, by_whom text, what text, why text) RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ids text[];
    its record;
    dropped text[];
BEGIN
    ids := ARRAY(SELECT plan ->> 'run_id' FROM json_array_elements(plans) AS plan);
    PERFORM 1 FROM perdure.runs
      WHERE id = ANY (ids || ARRAY(SELECT plan ->> 'undoer' FROM json_array_elements(plans) AS plan)
                          || ARRAY(SELECT parent_id FROM perdure.runs WHERE id = ANY (ids)))
      ORDER BY id FOR NO KEY UPDATE;
    PERFORM 1
       FROM json_to_recordset(plans) AS plan (run_id text, state text, incarnation integer, last_seq bigint, undoer text,
                                              undoer_state text, undoer_records integer)
       LEFT JOIN LATERAL (SELECT * FROM perdure.runs WHERE id = plan.run_id OFFSET 0) AS run ON true
      WHERE run.id IS NULL OR run.state = 'held' OR run.state <> plan.state OR run.incarnation <> plan.incarnation
         OR coalesce((SELECT max(seq) FROM perdure.checkpoints WHERE run_id = run.id), 0) <> plan.last_seq
         OR (SELECT undoer.state FROM perdure.runs AS undoer WHERE undoer.id = plan.undoer)
            IS DISTINCT FROM plan.undoer_state
         OR (SELECT count(*) FROM perdure.checkpoints WHERE run_id = plan.undoer) <> plan.undoer_records
         OR (run.parent_id <> ALL (ids)
             AND EXISTS (SELECT 1 FROM perdure.runs AS parent
                          WHERE parent.id = run.parent_id AND parent.finished_at IS NULL OFFSET 0));
    IF FOUND THEN
        RETURN false;
    END IF;
    -- One after the other: joined with the plans, where few rows are expected, each row would look for all of these.
    FOR its IN SELECT plan ->> 'run_id' AS run_id, (plan ->> 'is_whole')::boolean AS is_whole,
                      ARRAY(SELECT json_array_elements_text(plan -> 'dropped')) AS dropped,
                      ARRAY(SELECT json_array_elements_text(plan -> 'reopened')) AS reopened,
                      (plan -> 'order')::jsonb AS left_over, (plan ->> 'since')::bigint AS since
                 FROM json_array_elements(plans) AS plan
    LOOP
        -- What was written to streams by what goes, or by the workflow itself after that, is void; a row at the end of each
        -- says so to who has read it.
        WITH void AS (
            UPDATE perdure.streams SET kind = 'void', codec = NULL, body = NULL
             WHERE run_id = its.run_id AND kind IN ('chunks', 'closed')
               AND (its.is_whole OR source = ANY (its.dropped) OR (source LIKE '%*' AND behind >= its.since))
            RETURNING name, first, source
        )
        INSERT INTO perdure.streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, since, behind)
        SELECT its.run_id, void.name,
               (SELECT tail.first + tail.count FROM perdure.streams AS tail
                 WHERE tail.run_id = its.run_id AND tail.name = void.name ORDER BY tail.first DESC LIMIT 1)
               + row_number() OVER (PARTITION BY void.name ORDER BY void.source) - 1,
               1, 'rewound', void.source, 0, gen_random_uuid(), 'restart', min(void.first),
               (SELECT last_value FROM perdure.checkpoints_seq_seq)
          FROM void
         GROUP BY void.name, void.source;
        DELETE FROM perdure.checkpoints WHERE run_id = its.run_id AND key = ANY (its.dropped);
        UPDATE perdure.checkpoints SET body = its.left_over ->> key
         WHERE run_id = its.run_id AND key = ANY (ARRAY(SELECT jsonb_object_keys(its.left_over)));
        UPDATE perdure.messages SET consumed_at = NULL, consumed_key = NULL
         WHERE run_id = its.run_id AND kind = 'message' AND consumed_key = ANY (its.dropped);
        UPDATE perdure.messages SET answer = NULL, answer_key = NULL, answer_codec = NULL, answer_body = NULL
         WHERE run_id = its.run_id AND kind = 'message' AND answer_key = ANY (its.dropped);
        -- A hook that is opened again is another one, and no answer to the former one is an answer to it.
        WITH gone AS (
            DELETE FROM perdure.hooks WHERE run_id = its.run_id AND key = ANY (its.dropped) RETURNING topic
        )
        DELETE FROM perdure.messages WHERE run_id = its.run_id AND topic = ANY (ARRAY(SELECT topic FROM gone));
        UPDATE perdure.hooks SET closed_at = NULL WHERE run_id = its.run_id AND topic = ANY (its.reopened);
    END LOOP;
    DELETE FROM perdure.messages WHERE run_id = ANY (ids) AND kind = 'cancel';
    UPDATE perdure.messages SET consumed_at = perdure.now()
     WHERE run_id = ANY (ids) AND kind = 'pause' AND consumed_at IS NULL;
    DELETE FROM perdure.outputs WHERE run_id = ANY (ids);
    DELETE FROM perdure.progress WHERE run_id = ANY (ids);
    DELETE FROM perdure.waits WHERE waiter = ANY (ids);
    UPDATE perdure.runs
       SET state = 'ready', finished_at = NULL, due_at = NULL, waits_for = NULL, stopped = NULL, reason = NULL,
           refused_by = NULL, attempts = 0, progress_mark = 0, dedup_key = NULL, deadline_at = NULL, incarnation = incarnation + 1
     WHERE id = ANY (ids);
    dropped := ARRAY(SELECT json_array_elements_text(plan -> 'cancelled') FROM json_array_elements(plans) AS plan);
    dropped := ARRAY(SELECT id FROM perdure.runs WHERE id = ANY (dropped) AND finished_at IS NULL ORDER BY id FOR SHARE);
    INSERT INTO perdure.messages (run_id, kind) SELECT unnest(dropped), 'cancel'
        ON CONFLICT (run_id) WHERE kind = 'cancel' DO NOTHING;
    INSERT INTO perdure.wakes (run_id, worker) SELECT id, worker FROM perdure.runs WHERE id = ANY (dropped);
    INSERT INTO perdure.wakes (run_id) SELECT unnest(ids);
    INSERT INTO perdure.audit (who, action, run_id, detail)
    SELECT by_whom, what, plan ->> 'run_id', coalesce(plan ->> 'detail', why) FROM json_array_elements(plans) AS plan;
    RETURN true;
END $$;
