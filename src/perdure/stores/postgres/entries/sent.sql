-- Messages to runs that have not ended; a message is sent once, and says so by its id. From a run only while its claim
-- lasts. `seq` follows the batch: what one sender sends arrives in its order.
CREATE FUNCTION perdure.write_sent(me uuid, entries json) RETURNS void LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    made integer;
    receivers text[];
BEGIN
    WITH entry AS MATERIALIZED (
        SELECT entry.*, nextval('perdure.messages_seq_seq') AS seq
          FROM json_to_recordset(entries) AS entry (run_id text, claim uuid, message_id uuid, topic text, value json)
    ), sent AS (
        INSERT INTO perdure.messages (id, seq, run_id, kind, topic, codec, body)
        OVERRIDING SYSTEM VALUE
        SELECT message_id, seq, run_id, 'message', topic, value ->> 'codec', value ->> 'text'
          FROM entry
         WHERE EXISTS (SELECT 1 FROM perdure.runs AS receiver
                        WHERE receiver.id = entry.run_id AND receiver.finished_at IS NULL OFFSET 0)
           AND (claim IS NULL
                OR EXISTS (SELECT 1 FROM perdure.runs AS sender
                            WHERE sender.worker = me AND sender.claim = entry.claim AND sender.state = 'held' OFFSET 0))
         ORDER BY message_id
        ON CONFLICT (id) DO NOTHING
        RETURNING run_id
    )
    SELECT count(*), array_agg(DISTINCT run_id) INTO made, receivers FROM sent;
    IF made <> json_array_length(entries) THEN
        RAISE EXCEPTION 'a message is not new, or its receiver or its claim has ended' USING ERRCODE = 'PD001';
    END IF;
    PERFORM perdure.tell_runs(receivers, me);
END $$;
