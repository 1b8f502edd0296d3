-- name: record_checkpoints
-- All of them or none: fence, claims and checkpoints in one statement, which commits by itself where it comes alone.
-- Rule 2: of runs that this worker holds under these claims. One that is there already is a conflict, for `verdicts`.
INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                         attempts, started_at, recorded_at)
WITH entries AS MATERIALIZED (SELECT value AS entry FROM json_each(:entries)),
     held AS MATERIALIZED (
       SELECT entry, runs.id, runs.claim
         FROM entries
        CROSS JOIN runs
        WHERE runs.id = json_extract(entry, '$.run_id') AND runs.claim = json_extract(entry, '$.claim')
          AND runs.worker = :worker_id AND runs.state = 'held'
          AND EXISTS (SELECT 1 FROM workers WHERE workers.id = runs.worker))
SELECT id, json_extract(entry, '$.key'), claim, json_extract(entry, '$.entry_id'), json_extract(entry, '$.position'),
       json_extract(entry, '$.kind'), json_extract(entry, '$.name'), json_extract(entry, '$.fingerprint'),
       json_extract(entry, '$.is_error'), json_extract(entry, '$.outcome.codec'),
       json_extract(entry, '$.outcome.text'), json_extract(entry, '$.attempts'), json_extract(entry, '$.started_at'),
       (SELECT now FROM clock)
  FROM held
 WHERE (SELECT count(*) FROM held) = (SELECT count(*) FROM entries);

-- name: record_lone_checkpoint
-- The same for one, which most are: taking JSON apart would be a tenth of the commit.
INSERT INTO checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec, body,
                         attempts, started_at, recorded_at)
SELECT runs.id, :key, runs.claim, :entry_id, :position, :kind, :name, :fingerprint, :is_error, :codec, :body,
       :attempts, :started_at, (SELECT now FROM clock)
  FROM runs
 WHERE runs.id = :run_id AND runs.claim = :claim AND runs.worker = :worker_id AND runs.state = 'held'
   AND EXISTS (SELECT 1 FROM workers WHERE workers.id = runs.worker)
ON CONFLICT (run_id, key) DO NOTHING;

-- name: checkpoint_traces
-- Whose checkpoints stand under these keys: a resent entry looks for itself.
SELECT checkpoints.run_id, checkpoints.key, checkpoints.claim, checkpoints.entry_id
  FROM json_each(:keys) AS wanted
 CROSS JOIN checkpoints
 WHERE checkpoints.run_id = json_extract(wanted.value, '$[0]')
   AND checkpoints.key = json_extract(wanted.value, '$[1]');

-- name: history_checkpoints
-- What the runs have recorded, each in order of recording.
SELECT run_id, checkpoints.key, kind, name, fingerprint, is_error, codec, body, position, attempts
  FROM json_each(:run_ids) AS wanted
 CROSS JOIN checkpoints
 WHERE run_id = wanted.value
 ORDER BY wanted.key, seq;
