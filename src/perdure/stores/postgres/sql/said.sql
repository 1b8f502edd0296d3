-- name: last_events
-- What these runs have last set under these keys, and their states.
SELECT (wanted.place - 1)::integer, run.state, event.codec, event.body
  FROM json_array_elements(%(wanted)s::json) WITH ORDINALITY AS wanted (pair, place)
  JOIN perdure.runs AS run ON run.id = wanted.pair ->> 0
  LEFT JOIN LATERAL (SELECT codec, body FROM perdure.checkpoints
                      WHERE run_id = wanted.pair ->> 0 AND name = wanted.pair ->> 1 AND kind = 'event'
                      ORDER BY seq DESC LIMIT 1) AS event ON true;

-- name: answers_to
-- What these runs have answered to these messages, and their states.
SELECT (wanted.place - 1)::integer, run.state, coalesce(message.consumed_at IS NOT NULL, false), message.answer,
       message.answer_codec, message.answer_body
  FROM json_array_elements(%(wanted)s::json) WITH ORDINALITY AS wanted (pair, place)
  JOIN perdure.runs AS run ON run.id = wanted.pair ->> 0
  LEFT JOIN perdure.messages AS message ON message.id = (wanted.pair ->> 1)::uuid AND message.run_id = run.id;

-- name: events_of_run
-- All that the run has set, the last of each key.
SELECT DISTINCT ON (name) name, codec, body
  FROM perdure.checkpoints
 WHERE run_id = %(run_id)s AND kind = 'event'
 ORDER BY name, seq DESC;

-- name: stream_traces
-- Which of these chunks, or new beginnings, are there: a resent entry looks for itself.
SELECT DISTINCT run_id, claim::text, entry_id
  FROM perdure.streams
 WHERE (run_id, claim, entry_id) IN (SELECT wanted ->> 0, (wanted ->> 1)::uuid, wanted ->> 2
                                       FROM json_array_elements(%(keys)s::json) AS wanted);

-- name: next_chunks
-- The next rows of these streams, from these offsets on, and the states of their runs.
SELECT (wanted.place - 1)::integer, run.state, row.first, row.count, row.kind, row.source,
       concat(row.claim, ' ', row.attempt), row.since, row.codec, row.body
  FROM json_array_elements(%(wanted)s::json) WITH ORDINALITY AS wanted (part, place)
  JOIN perdure.runs AS run ON run.id = wanted.part ->> 0
  LEFT JOIN LATERAL (
           SELECT * FROM perdure.streams
            WHERE run_id = wanted.part ->> 0 AND name = wanted.part ->> 1 AND kind <> 'void'
              AND first >= coalesce((SELECT max(earlier.first) FROM perdure.streams AS earlier
                                      WHERE earlier.run_id = wanted.part ->> 0 AND earlier.name = wanted.part ->> 1
                                        AND earlier.first <= (wanted.part ->> 2)::bigint), 0)
              AND (first + count > (wanted.part ->> 2)::bigint OR kind = 'closed')
            ORDER BY first LIMIT %(most)s) AS row ON true
 ORDER BY wanted.place, row.first;

-- name: streams_of_run
-- The streams of the run: by name, where the next chunk will be, and whether it is closed.
SELECT name, max(first + count), bool_or(kind = 'closed')
  FROM perdure.streams WHERE run_id = %(run_id)s GROUP BY name ORDER BY name;
