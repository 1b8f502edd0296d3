-- Checkpoints like all others, and the messages that they consume.
CREATE FUNCTION perdure.write_received(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    taken record;
BEGIN
    PERFORM perdure.write_recorded(me, entries);
    FOR taken IN SELECT * FROM json_to_recordset(entries) AS entry (run_id text, key text, message_id uuid)
                  WHERE message_id IS NOT NULL
    LOOP
        UPDATE perdure.messages SET consumed_at = perdure.now(), consumed_key = taken.key
         WHERE id = taken.message_id AND run_id IS NOT DISTINCT FROM taken.run_id AND consumed_at IS NULL;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'a message was received before' USING ERRCODE = 'PD001';
        END IF;
    END LOOP;
END $$;
