-- The server's history, which changes when a standby is promoted. NULL where the service does not let us ask.
CREATE FUNCTION perdure.current_timeline() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    RETURN NULL;
END $$;

-- Rules 12 and 17: what was set when the session began, for a pooler may hand out any session. What cannot be set any more
-- in a transaction that runs is refused, so that the session is prepared and the same sent again. No worker waits long for
-- somebody's lock: it has more to do.
CREATE FUNCTION perdure.check_session() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' OR current_setting('statement_timeout') <> '10s'
       OR current_setting('idle_in_transaction_session_timeout') <> '5s' THEN
        RAISE EXCEPTION 'the session is not prepared' USING ERRCODE = 'PD003';
    END IF;
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    PERFORM set_config('lock_timeout', '500ms', true);
END $$;

-- Rule 1: whether this worker may write. Its row stays locked against removal until the transaction ends; a heartbeat,
-- which updates other columns, does not wait for that. Where the timeline is not known, `expected` (the transactions
-- that the process has counted) must be what the row says, or one less after a lost reply.
CREATE FUNCTION perdure.fence(me uuid, expected bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    is_counted boolean;
BEGIN
    PERFORM perdure.check_session();
    SELECT worker.timeline IS NULL INTO is_counted
      FROM perdure.workers AS worker
     WHERE worker.id = me AND (worker.timeline IS NULL OR worker.timeline = perdure.current_timeline())
       FOR KEY SHARE;
    IF is_counted THEN
        UPDATE perdure.workers SET writes = expected + 1 WHERE id = me AND writes IN (expected, expected + 1);
    END IF;
    RETURN FOUND;
END $$;

-- The fence as the first statement of a batch: the sections that follow it are written in the same transaction, or not.
-- Its answer tells of cancels (rule 8). Mostly nothing was told to this worker, and one look into the mailbox says so.
CREATE FUNCTION perdure.demand(me uuid, expected bigint) RETURNS json LANGUAGE plpgsql AS $$
BEGIN
    IF NOT perdure.fence(me, expected) THEN
        RAISE EXCEPTION 'the worker has no row' USING ERRCODE = 'PD000';
    END IF;
    PERFORM 1 FROM perdure.wakes WHERE worker = me ORDER BY seq LIMIT 1;
    IF FOUND THEN
        RETURN perdure.cancels_for(me);
    END IF;
    RETURN NULL;
END $$;
