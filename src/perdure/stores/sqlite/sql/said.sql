-- name: last_events
-- What these runs have last set under these keys, and their states.
SELECT json_group_array(json_array(wanted.key, runs.state, event.codec, event.body))
  FROM json_each(:wanted) AS wanted
 CROSS JOIN runs
  LEFT JOIN checkpoints AS event
    ON event.seq = (SELECT max(seq) FROM checkpoints
                     WHERE run_id = json_extract(wanted.value, '$[0]')
                       AND name = json_extract(wanted.value, '$[1]') AND kind = 'event')
 WHERE runs.id = json_extract(wanted.value, '$[0]');

-- name: answers_to
-- What these runs have answered to these messages, and their states.
SELECT json_group_array(json_array(wanted.key, runs.state, message.consumed_at IS NOT NULL, message.answer,
                                   message.answer_codec, message.answer_body))
  FROM json_each(:wanted) AS wanted
 CROSS JOIN runs
  LEFT JOIN messages AS message
    ON message.id = json_extract(wanted.value, '$[1]') AND message.run_id = runs.id
 WHERE runs.id = json_extract(wanted.value, '$[0]');

-- name: events_of_run
-- All that the run has set, the last of each key.
SELECT json_group_array(json_array(name, codec, body))
  FROM (SELECT name, codec, body, max(seq) FROM checkpoints
         WHERE run_id = :run_id AND kind = 'event' GROUP BY name);

-- name: stream_traces
-- Which of these chunks, or new beginnings, are there: a resent entry looks for itself.
SELECT json_group_array(json_array(streams.run_id, streams.claim, streams.entry_id))
  FROM json_each(:keys) AS wanted
 CROSS JOIN streams
 WHERE streams.run_id = json_extract(wanted.value, '$[0]') AND streams.claim = json_extract(wanted.value, '$[1]')
   AND streams.entry_id = json_extract(wanted.value, '$[2]');

-- name: next_chunks
-- The next rows of these streams, from these offsets on, and the states of their runs.
SELECT json_group_array(json_array(wanted.key, runs.state, row.first, row.count, row.kind, row.source,
                                   row.claim || ' ' || row.attempt, row.since, row.codec, row.body))
  FROM json_each(:wanted) AS wanted
 CROSS JOIN runs
  LEFT JOIN streams AS row
    ON row.run_id = runs.id AND row.name = json_extract(wanted.value, '$[1]')
       AND row.first IN (SELECT first FROM streams AS later
                          WHERE later.run_id = runs.id AND later.name = json_extract(wanted.value, '$[1]')
                            AND later.kind <> 'void'
                            AND later.first >= coalesce((SELECT max(earlier.first) FROM streams AS earlier
                                                          WHERE earlier.run_id = runs.id
                                                            AND earlier.name = json_extract(wanted.value, '$[1]')
                                                            AND earlier.first <= json_extract(wanted.value, '$[2]')), 0)
                            AND (later.first + later.count > json_extract(wanted.value, '$[2]')
                                 OR later.kind = 'closed')
                          ORDER BY later.first LIMIT :most)
 WHERE runs.id = json_extract(wanted.value, '$[0]');

-- name: streams_of_run
-- The streams of the run: by name, where the next chunk will be, and whether it is closed.
SELECT json_group_array(json_array(name, upto, is_closed))
  FROM (SELECT name, max(first + count) AS upto, max(kind = 'closed') AS is_closed
          FROM streams WHERE run_id = :run_id GROUP BY name ORDER BY name);
