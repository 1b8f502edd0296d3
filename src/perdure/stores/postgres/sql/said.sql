-- name: last_events
-- What these runs have last set under these keys, and their states.
SELECT (wanted.place - 1)::integer, run.state, event.codec, event.body
  FROM json_array_elements(%(wanted)s::json) WITH ORDINALITY AS wanted (pair, place)
  JOIN perdure.runs AS run ON run.id = wanted.pair ->> 0
  LEFT JOIN LATERAL (SELECT codec, body FROM perdure.checkpoints
                      WHERE run_id = wanted.pair ->> 0 AND name = wanted.pair ->> 1 AND kind = 'event'
                      ORDER BY seq DESC LIMIT 1) AS event ON true;

-- name: events_of_run
-- All that the run has set, the last of each key.
SELECT DISTINCT ON (name) name, codec, body
  FROM perdure.checkpoints
 WHERE run_id = %(run_id)s AND kind = 'event'
 ORDER BY name, seq DESC;
