-- Rule 5: uncharged, what the database says this worker holds and its memory does not know. NULL when fenced.
CREATE FUNCTION perdure.reconcile(me uuid, expected bigint, known text[]) RETURNS text[] LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    unknown text[];
BEGIN
    IF NOT perdure.fence(me, expected) THEN
        RETURN NULL;
    END IF;
    unknown := ARRAY(SELECT id FROM perdure.runs WHERE worker = me AND id NOT IN (SELECT unnest(known))
                      ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
    UPDATE perdure.runs SET state = 'ready', worker = NULL, claim = NULL, attempts = greatest(attempts - 1, 0)
     WHERE id = ANY (unknown) AND worker = me;
    RETURN unknown;
END $$;
