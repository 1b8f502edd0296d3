-- Start runs anew, each from where its plan says, all of them or none: a plan was made of what was read before, and holds
-- only while that is so. False: it is not any more, and nothing was done.
CREATE FUNCTION perdure.restart_runs(plans json, by_whom text, what text, why text) RETURNS boolean LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ids text[];
    dropped text[];
BEGIN
    ids := ARRAY(SELECT plan ->> 'run_id' FROM json_array_elements(plans) AS plan);
    PERFORM 1 FROM perdure.runs
      WHERE id = ANY (ids || ARRAY(SELECT plan ->> 'undoer' FROM json_array_elements(plans) AS plan)
                          || ARRAY(SELECT parent_id FROM perdure.runs WHERE id = ANY (ids) AND parent_id IS NOT NULL))
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
    -- What was written to streams by what goes, or by the workflow itself after that, is void; a row at the end of each says
    -- so to who has read it.
    WITH plan AS MATERIALIZED (
        SELECT plan ->> 'run_id' AS run_id, (plan ->> 'is_whole')::boolean AS is_whole,
               ARRAY(SELECT json_array_elements_text(plan -> 'dropped')) AS dropped
          FROM json_array_elements(plans) AS plan
    ), edge AS MATERIALIZED (
        SELECT plan.*, (SELECT min(seq) FROM perdure.checkpoints AS gone
                         WHERE gone.run_id = plan.run_id AND gone.key = ANY (plan.dropped)) AS cut_seq
          FROM plan
    ), void AS (
        UPDATE perdure.streams AS row SET kind = 'void', codec = NULL, body = NULL
          FROM edge
         WHERE row.run_id = edge.run_id AND row.kind IN ('chunks', 'closed')
           AND (edge.is_whole OR row.source = ANY (edge.dropped)
                OR (row.source LIKE '%*' AND row.behind >= edge.cut_seq))
        RETURNING row.run_id, row.name, row.first, row.source
    )
    INSERT INTO perdure.streams (run_id, name, first, count, kind, source, attempt, claim, entry_id, since, behind)
    SELECT void.run_id, void.name,
           (SELECT tail.first + tail.count FROM perdure.streams AS tail
             WHERE tail.run_id = void.run_id AND tail.name = void.name ORDER BY tail.first DESC LIMIT 1)
           + row_number() OVER (PARTITION BY void.run_id, void.name ORDER BY void.source) - 1,
           1, 'rewound', void.source, 0, gen_random_uuid(), 'restart', min(void.first),
           (SELECT last_value FROM perdure.checkpoints_seq_seq)
      FROM void
     GROUP BY void.run_id, void.name, void.source;
    DELETE FROM perdure.checkpoints USING (
        SELECT plan ->> 'run_id' AS run_id, json_array_elements_text(plan -> 'dropped') AS key
          FROM json_array_elements(plans) AS plan) AS gone
     WHERE checkpoints.run_id = gone.run_id AND checkpoints.key = gone.key;
    UPDATE perdure.checkpoints SET body = part.value
      FROM (SELECT plan ->> 'run_id' AS run_id, left_over.key, left_over.value
              FROM json_array_elements(plans) AS plan CROSS JOIN LATERAL json_each_text(plan -> 'order') AS left_over) AS part
     WHERE checkpoints.run_id = part.run_id AND checkpoints.key = part.key;
    UPDATE perdure.messages SET consumed_at = NULL, consumed_key = NULL
      FROM (SELECT plan ->> 'run_id' AS run_id, json_array_elements_text(plan -> 'dropped') AS key
              FROM json_array_elements(plans) AS plan) AS gone
     WHERE messages.run_id = gone.run_id AND messages.kind = 'message' AND messages.consumed_key = gone.key;
    UPDATE perdure.messages SET answer = NULL, answer_key = NULL, answer_codec = NULL, answer_body = NULL
      FROM (SELECT plan ->> 'run_id' AS run_id, json_array_elements_text(plan -> 'dropped') AS key
              FROM json_array_elements(plans) AS plan) AS gone
     WHERE messages.run_id = gone.run_id AND messages.kind = 'message' AND messages.answer_key = gone.key;
    -- A hook that is opened again is another one, and no answer to the former one is an answer to it.
    WITH gone AS (
        DELETE FROM perdure.hooks USING (
            SELECT plan ->> 'run_id' AS run_id, json_array_elements_text(plan -> 'dropped') AS key
              FROM json_array_elements(plans) AS plan) AS opened
         WHERE hooks.run_id = opened.run_id AND hooks.key = opened.key
        RETURNING hooks.run_id, hooks.topic
    )
    DELETE FROM perdure.messages USING gone WHERE messages.run_id = gone.run_id AND messages.topic = gone.topic;
    UPDATE perdure.hooks SET closed_at = NULL
      FROM (SELECT plan ->> 'run_id' AS run_id, json_array_elements_text(plan -> 'reopened') AS topic
              FROM json_array_elements(plans) AS plan) AS again
     WHERE hooks.run_id = again.run_id AND hooks.topic = again.topic;
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
