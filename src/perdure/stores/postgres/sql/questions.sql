-- name: ask_question
-- Somebody asks a run that he does not hold; and what nobody waits for any more is taken away.
WITH forgotten AS (DELETE FROM perdure.questions WHERE expires_at < perdure.now())
INSERT INTO perdure.questions (id, run_id, name, codec, body, expires_at)
SELECT %(question_id)s::uuid, id, %(name)s, %(codec)s, %(body)s, perdure.now() + %(seconds)s::float8 * interval '1 second'
  FROM perdure.runs WHERE id = %(run_id)s
ON CONFLICT (id) DO NOTHING;

-- name: open_questions
-- What this worker can answer: of the runs that it holds, and of those that nobody holds and whose code it has.
SELECT question.id::text, question.run_id, question.name, question.codec, question.body
  FROM perdure.questions AS question
 CROSS JOIN LATERAL (SELECT worker, name FROM perdure.runs WHERE runs.id = question.run_id OFFSET 0) AS run
 WHERE question.answer IS NULL AND question.expires_at > perdure.now()
   AND (run.worker = %(worker_id)s::uuid OR (run.worker IS NULL AND run.name = ANY (%(names)s::text[])))
 ORDER BY question.expires_at LIMIT %(most)s;

-- name: answer_question
-- The first answer counts. Who answers for a run in memory does so only while the run is held under that claim.
UPDATE perdure.questions SET answer = %(answer)s, answer_codec = %(codec)s, answer_body = %(body)s
 WHERE id = %(question_id)s::uuid AND answer IS NULL
   AND (%(claim)s::uuid IS NULL
        OR EXISTS (SELECT 1 FROM perdure.runs WHERE runs.id = questions.run_id AND runs.claim = %(claim)s::uuid))
RETURNING true;

-- name: withdraw_question
-- The asker has his answer, or waits no more.
DELETE FROM perdure.questions WHERE id = %(question_id)s::uuid;

-- name: replies_to
-- What was answered to these questions.
SELECT (wanted.place - 1)::integer, question.answer, question.answer_codec, question.answer_body
  FROM json_array_elements_text(%(wanted)s::json) WITH ORDINALITY AS wanted (id, place)
  JOIN perdure.questions AS question ON question.id = wanted.id::uuid;
