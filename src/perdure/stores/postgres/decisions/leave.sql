-- A worker that leaves gives back all its runs, uncharged, and then its right to write. Waits for its own open batch.
CREATE FUNCTION perdure.leave(me uuid) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    PERFORM perdure.check_session();
    PERFORM set_config('lock_timeout', '5s', true);
    PERFORM 1 FROM perdure.workers WHERE id = me FOR UPDATE;
    PERFORM 1 FROM perdure.runs WHERE worker = me ORDER BY id FOR NO KEY UPDATE;
    UPDATE perdure.runs SET state = 'ready', worker = NULL, claim = NULL, attempts = greatest(attempts - 1, 0)
     WHERE worker = me;
    UPDATE perdure.wakes SET worker = NULL WHERE worker = me;
    DELETE FROM perdure.workers WHERE id = me;
END $$;
