-- Everything is in another database now: nobody works here, and nothing is sent here, any more.
CREATE TRIGGER moved_workers BEFORE INSERT ON workers
BEGIN
    SELECT RAISE(ABORT, 'everything in this database was moved to another one: use that one''s URL');
END;
CREATE TRIGGER moved_runs BEFORE INSERT ON runs
BEGIN
    SELECT RAISE(ABORT, 'everything in this database was moved to another one: use that one''s URL');
END;
CREATE TRIGGER moved_messages BEFORE INSERT ON messages
BEGIN
    SELECT RAISE(ABORT, 'everything in this database was moved to another one: use that one''s URL');
END;
