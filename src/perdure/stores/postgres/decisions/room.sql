-- For how many runs of a queue there is room in this claim, and what is in the way of more. The worker's own limit is in
-- `slots`, its free ones. Whoever has set nothing for the queue pays one look at an index.
CREATE FUNCTION perdure.room(me uuid, of_queue text, slots integer, last_attempts text,
                             OUT most integer, OUT short_by text) LANGUAGE plpgsql AS $$
BEGIN
    most := slots;
    IF last_attempts = 'alone' THEN  -- rule 11: one, and nothing else beside it
        most := CASE WHEN EXISTS (SELECT 1 FROM perdure.runs WHERE worker = me) THEN 0 ELSE least(slots, 1) END;
        short_by := 'full';
    END IF;
    PERFORM 1 FROM perdure.queues WHERE name = of_queue AND paused_at IS NOT NULL;
    IF FOUND THEN
        most := 0;
        short_by := 'paused';
    END IF;
END $$;
