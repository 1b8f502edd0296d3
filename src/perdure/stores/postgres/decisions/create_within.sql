-- Runs of an outsider in a transaction that is somebody else's. Says for each of them whose its id or key is (id, name,
-- fingerprint, state), or null where it was made: the transaction goes on either way. Never tells anybody (rule 15).
CREATE FUNCTION perdure.create_within(entries json) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    entry json;
    holders json[] := '{}';
BEGIN
    BEGIN
        PERFORM perdure.make_within(entries);
        RETURN (SELECT json_agg(NULL::json) FROM json_array_elements(entries));
    EXCEPTION WHEN SQLSTATE 'PD001' THEN
        NULL;  -- one of them is not new: each by itself
    END;
    FOR entry IN SELECT value FROM json_array_elements(entries) LOOP
        holders := holders || perdure.make_or_find(entry);
    END LOOP;
    RETURN to_json(holders);
END $$;

-- All of them, or PD001.
CREATE FUNCTION perdure.make_within(entries json) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    named json;
BEGIN
    PERFORM perdure.write_created(NULL::uuid, entries);
    SELECT json_agg(value) INTO named FROM json_array_elements(entries)
     WHERE json_typeof(value -> 'attributes') = 'object';
    IF named IS NOT NULL THEN
        PERFORM perdure.write_attributed(NULL::uuid, named);
    END IF;
END $$;

-- One of them. Whoever has its id or key may end before it is found: then it is tried again.
CREATE FUNCTION perdure.make_or_find(entry json) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
    holder json;
BEGIN
    LOOP
        BEGIN
            PERFORM perdure.make_within(json_build_array(entry));
            RETURN 'null';
        EXCEPTION WHEN SQLSTATE 'PD001' THEN
            SELECT json_build_array(runs.id, runs.name, runs.fingerprint, runs.state) INTO holder
              FROM perdure.runs
             WHERE runs.id = entry ->> 'run_id';
            IF FOUND THEN
                RETURN holder;
            END IF;
            SELECT json_build_array(runs.id, runs.name, runs.fingerprint, runs.state) INTO holder
              FROM perdure.runs
             WHERE runs.queue = entry ->> 'queue' AND runs.dedup_key = entry ->> 'dedup_key'
               AND runs.finished_at IS NULL AND (runs.dedup_until_start IS NOT TRUE OR runs.started_at IS NULL);
            IF FOUND THEN
                RETURN holder;
            END IF;
        END;
    END LOOP;
END $$;
