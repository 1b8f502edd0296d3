-- Checkpoints like all others, and the messages that they consume.
CREATE FUNCTION perdure.write_received(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    wanted integer;
    consumed integer;
BEGIN
    PERFORM perdure.write_recorded(me, entries);
    WITH entry AS MATERIALIZED (
        SELECT * FROM json_to_recordset(entries) AS entry (run_id text, key text, message_id uuid)
         WHERE message_id IS NOT NULL
    ), taken AS (
        UPDATE perdure.messages SET consumed_at = perdure.now(), consumed_key = entry.key
          FROM entry
         WHERE messages.id = entry.message_id AND messages.run_id = entry.run_id AND messages.consumed_at IS NULL
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM entry), (SELECT count(*) FROM taken) INTO wanted, consumed;
    IF consumed <> wanted THEN
        RAISE EXCEPTION 'a message was received before' USING ERRCODE = 'PD001';
    END IF;
END $$;
