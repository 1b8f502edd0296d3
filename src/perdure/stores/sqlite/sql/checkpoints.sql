-- name: record_lone_checkpoint
-- A batch of one checkpoint, which most are, without the JSON, which would be a tenth of the commit.
-- Rule 2: of a run that this worker holds under this claim. One that is there already changes nothing. Rule 8: cancels of
-- what this worker holds are told to it.
INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                         attempts, started_at, arguments, recorded_at)
SELECT runs.id, :key, runs.claim, :entry_id, :position, :kind, :name, :fingerprint, :is_error, :codec, :body,
       :attempts, :started_at, :arguments, (SELECT now FROM clock)
  FROM runs
 WHERE runs.id = :run_id AND runs.claim = :claim AND runs.worker = :worker_id AND runs.state = 'held'
   AND EXISTS (SELECT 1 FROM workers WHERE workers.id = runs.worker)
   AND (SELECT count(note_cancel(messages.run_id))
          FROM wakes
         CROSS JOIN messages
         CROSS JOIN runs AS mine
         WHERE wakes.worker = runs.worker AND messages.run_id = wakes.run_id AND messages.kind = 'cancel'
           AND mine.id = wakes.run_id AND mine.worker = runs.worker) IS NOT NULL
ON CONFLICT (run_id, key) DO NOTHING;

-- name: checkpoint_traces
-- Whose checkpoints stand under these keys: a resent entry looks for itself.
SELECT json_group_array(json_array(checkpoints.run_id, checkpoints.key, checkpoints.claim, checkpoints.entry_id))
  FROM json_each(:keys) AS wanted
 CROSS JOIN checkpoints
 WHERE checkpoints.run_id = json_extract(wanted.value, '$[0]')
   AND checkpoints.key = json_extract(wanted.value, '$[1]');

-- name: history_checkpoints
-- What the runs have recorded, each in order of recording; and how much each source has written to each stream, and whether
-- it has closed it.
SELECT json_group_array(json_array(0, run_id, source, 'stream', name, '-', is_closed, 'json', written, NULL, 1, NULL))
  FROM (SELECT streams.run_id, streams.source, streams.name, max(streams.kind = 'closed') AS is_closed,
               CAST(sum(streams.count) AS TEXT) AS written
          FROM json_each(:run_ids) AS wanted
         CROSS JOIN streams
         WHERE streams.run_id = wanted.value AND streams.kind IN ('chunks', 'closed')
         GROUP BY streams.run_id, streams.source, streams.name)
 UNION ALL
SELECT json_group_array(json_array(seq, run_id, checkpoints.key, kind, name, fingerprint, is_error, codec, body,
                                   position, attempts, arguments))
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN checkpoints
 WHERE run_id = wanted.value
 GROUP BY seq / :together;
