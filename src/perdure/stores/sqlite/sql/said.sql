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

-- name: events_of_run
-- All that the run has set, the last of each key.
SELECT json_group_array(json_array(name, codec, body))
  FROM (SELECT name, codec, body, max(seq) FROM checkpoints
         WHERE run_id = :run_id AND kind = 'event' GROUP BY name);
