-- Everything is in another database now: nobody works here, and nothing is sent here, any more.
CREATE FUNCTION perdure.refuse_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'everything in this database was moved to another one: use that one''s URL' USING ERRCODE = '22000';
END $$;
CREATE TRIGGER moved BEFORE INSERT ON perdure.workers FOR EACH STATEMENT EXECUTE FUNCTION perdure.refuse_moved();
CREATE TRIGGER moved BEFORE INSERT ON perdure.runs FOR EACH STATEMENT EXECUTE FUNCTION perdure.refuse_moved();
CREATE TRIGGER moved BEFORE INSERT ON perdure.messages FOR EACH STATEMENT EXECUTE FUNCTION perdure.refuse_moved();
