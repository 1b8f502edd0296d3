-- name: ask_question
-- Somebody asks a run that he does not hold.
INSERT INTO questions (id, run_id, name, codec, body, expires_at)
SELECT :question_id, id, :name, :codec, :body, (SELECT now FROM clock) + :seconds
  FROM runs WHERE id = :run_id
ON CONFLICT (id) DO NOTHING;

-- name: forget_questions
-- What nobody waits for any more is taken away.
DELETE FROM questions WHERE expires_at < (SELECT now FROM clock);

-- name: open_questions
-- What this worker can answer: of the runs that it holds, and of those that nobody holds and whose code it has.
SELECT json_group_array(json_array(id, run_id, name, codec, body))
  FROM (SELECT questions.*
          FROM questions
         CROSS JOIN runs
         WHERE questions.answer IS NULL AND questions.expires_at > (SELECT now FROM clock)
           AND runs.id = questions.run_id
           AND (runs.worker = :worker_id
                OR (runs.worker IS NULL AND runs.name IN (SELECT value FROM json_each(:names))))
         ORDER BY questions.expires_at LIMIT :most);

-- name: answer_question
-- The first answer counts. Who answers for a run in memory does so only while the run is held under that claim.
UPDATE questions SET answer = :answer, answer_codec = :codec, answer_body = :body
 WHERE id = :question_id AND answer IS NULL
   AND (:claim IS NULL OR EXISTS (SELECT 1 FROM runs WHERE runs.id = questions.run_id AND runs.claim = :claim));

-- name: withdraw_question
-- The asker has his answer, or waits no more.
DELETE FROM questions WHERE id = :question_id;

-- name: replies_to
-- What was answered to these questions.
SELECT json_group_array(json_array(wanted.key, questions.answer, questions.answer_codec, questions.answer_body))
  FROM json_each(:wanted) AS wanted
 CROSS JOIN questions
 WHERE questions.id = wanted.value;
