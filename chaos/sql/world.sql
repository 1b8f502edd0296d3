-- What the world keeps beside Perdure's tables: the user's rows, and the end of every claim. No constraint of it keeps
-- anything from being written twice: that is what is checked.
CREATE SCHEMA chaos;
CREATE TABLE chaos.entries (run_id text NOT NULL, token text NOT NULL);
CREATE TABLE chaos.owners (owner integer PRIMARY KEY, amount integer NOT NULL DEFAULT 0);
INSERT INTO chaos.owners SELECT generate_series(0, 63);
CREATE TABLE chaos.claims_ended (run_id text NOT NULL, claim uuid NOT NULL);
CREATE FUNCTION chaos.note_end() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chaos.claims_ended VALUES (old.id, old.claim);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_note_end AFTER UPDATE OF claim ON perdure.runs FOR EACH ROW
    WHEN (old.claim IS NOT NULL AND new.claim IS DISTINCT FROM old.claim) EXECUTE FUNCTION chaos.note_end();
