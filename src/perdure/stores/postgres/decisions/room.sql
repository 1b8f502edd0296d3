-- For how many runs of a queue there is room in this claim, and what is in the way of more, where no limit holds for all
-- workers together (`pick_shared` has those). The worker's own limit is in `slots`, its free ones.
CREATE FUNCTION perdure.room(me uuid, slots integer, last_attempts text, is_paused boolean,
                             OUT most integer, OUT short_by text) LANGUAGE plpgsql AS $$
BEGIN
    most := slots;
    IF last_attempts = 'alone' THEN  -- rule 11: one, and nothing else beside it
        most := CASE WHEN EXISTS (SELECT 1 FROM perdure.runs WHERE worker = me) THEN 0 ELSE least(slots, 1) END;
        short_by := 'full';
    END IF;
    IF is_paused THEN
        most := 0;
        short_by := 'paused';
    END IF;
END $$;
