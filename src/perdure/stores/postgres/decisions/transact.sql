-- Rule 9: the last statement of a user's own transaction, in this order: the fence, the claim, the checkpoint. Says what has
-- become of it: 'made', or why not; then the transaction must not be committed. Counts nothing and touches no row that
-- others update, so that it holds at every isolation level (rule 15). A process that is stopped before its COMMIT is ended
-- by the server (rule 12).
CREATE FUNCTION perdure.transact(me uuid, run text, its_claim uuid, entry json) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('idle_in_transaction_session_timeout', '5s', true);
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM 1 FROM perdure.workers AS worker
      WHERE worker.id = me AND (worker.timeline IS NULL OR worker.timeline = perdure.current_timeline())
        FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN 'fenced';
    END IF;
    PERFORM 1 FROM perdure.runs
      WHERE runs.id = run AND runs.worker = me AND runs.claim = its_claim AND runs.state = 'held' FOR SHARE;
    IF NOT FOUND THEN
        RETURN 'gone';
    END IF;
    INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body, attempts,
                                     started_at, arguments)
    SELECT run_id, key, its_claim, entry_id, kind, name, fingerprint, false, outcome ->> 'codec', outcome ->> 'text',
           attempts, to_timestamp(started_at), arguments
      FROM json_to_record(entry) AS entry (
               run_id text, entry_id text, key text, kind text, name text, fingerprint text, outcome json,
               attempts integer, started_at double precision, arguments text)
    ON CONFLICT (run_id, key) DO NOTHING;
    RETURN CASE WHEN FOUND THEN 'made' ELSE 'recorded' END;
END $$;

-- After a COMMIT whose outcome is unknown: who inserts the same key waits for it, and so knows. Whether it was committed.
CREATE FUNCTION perdure.was_transacted(run text, its_key text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, kind, name, fingerprint, is_error, codec, body,
                                         attempts)
        VALUES (run, its_key, gen_random_uuid(), '', 'step', '', '', false, '', '', 0);
        RAISE EXCEPTION 'nothing is kept of it' USING ERRCODE = 'PD002';
    EXCEPTION
        WHEN unique_violation THEN
            RETURN true;
        WHEN SQLSTATE 'PD002' THEN
            RETURN false;
    END;
END $$;
