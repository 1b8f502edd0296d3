-- Every decision that a worker makes, as one function and so one round trip and one transaction. All are VOLATILE and
-- run under READ COMMITTED: each statement in them sees what was committed before it began, which rules 1, 2, 3 and 8
-- of the protocol need.
--
-- Plans are cached per session, and may be made while the tables are small; such a plan must not scan them for ever.
-- So sequential scans and the joins that want them are off, a run is looked up by LATERAL (... OFFSET 0), which the
-- planner does not turn round, and rows that are locked already are updated by their place (`ctid`).

-- A stored value, as the entries carry it.
CREATE TYPE perdure.stored AS (codec text, text text);

-- The entries of a batch, under the field names that the code gives them.
CREATE TYPE perdure.run_created AS (
    run_id text, kind text, name text, fingerprint text, input perdure.stored, entry_id text, claim uuid,
    parent_id text, parent_key text, held_as uuid, queue text, priority integer, due_at double precision,
    max_attempts integer
);
CREATE TYPE perdure.run_lived AS (
    run_id text, kind text, name text, fingerprint text, input perdure.stored, entry_id text, held_as uuid,
    queue text, priority integer, max_attempts integer, state text, output perdure.stored, reason text
);
CREATE TYPE perdure.step_recorded AS (
    run_id text, claim uuid, entry_id text, key text, kind text, name text, fingerprint text, is_error boolean,
    outcome perdure.stored, position integer, attempts integer, started_at double precision
);
CREATE TYPE perdure.claim_ended AS (
    run_id text, claim uuid, state text, output perdure.stored, reason text, due_at double precision,
    children_seen integer, waits_for text[], needs_mend boolean, charged boolean
);

-- The server's history, which changes when a standby is promoted. NULL where the service does not let us ask.
CREATE FUNCTION perdure.current_timeline() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8);
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    RETURN NULL;
END $$;

-- Rule 1: whether this worker may write. Its row stays locked against removal until the transaction ends; a heartbeat,
-- which updates other columns, does not wait for that. Where the timeline is not known, `expected` (the transactions
-- that the process has counted) must be what the row says, or one less after a lost reply.
CREATE FUNCTION perdure.fence(me uuid, expected bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    is_counted boolean;
BEGIN
    IF current_setting('synchronous_commit') = 'off' THEN
        PERFORM set_config('synchronous_commit', 'on', true);
    END IF;
    SELECT worker.timeline IS NULL INTO is_counted
      FROM perdure.workers AS worker
     WHERE worker.id = me AND (worker.timeline IS NULL OR worker.timeline = perdure.current_timeline())
       FOR KEY SHARE;
    IF is_counted THEN
        UPDATE perdure.workers SET writes = expected + 1 WHERE id = me AND writes IN (expected, expected + 1);
    END IF;
    RETURN FOUND;
END $$;

-- A cancelled run takes its unfinished children with it (rule 8 for each of them).
CREATE FUNCTION perdure.pass_cancel_on(ended text[]) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    WITH child AS MATERIALIZED (
        SELECT id FROM perdure.runs WHERE parent_id = ANY (ended) AND finished_at IS NULL ORDER BY id FOR SHARE
    )
    INSERT INTO perdure.messages (run_id, kind) SELECT id, 'cancel' FROM child
    ON CONFLICT (run_id) WHERE kind = 'cancel' DO NOTHING;
END $$;

-- The runs have ended by their cancel: mark it, and pass it on.
CREATE FUNCTION perdure.consume_cancels(ended text[]) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    UPDATE perdure.messages SET consumed_at = clock_timestamp() WHERE kind = 'cancel' AND run_id = ANY (ended);
    PERFORM perdure.pass_cancel_on(ended);
END $$;

-- How far a run has come: the attempts count anew when that is further than at the last charge (rule 11). Ended children
-- count too: a parent that waits for many records no step of its own, and would be dead of its worker's restarts.
CREATE FUNCTION perdure.progress_of(run text) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT (SELECT count(*) FROM perdure.checkpoints WHERE checkpoints.run_id = run AND checkpoints.kind = 'step')
         + (SELECT count(*) FROM perdure.runs WHERE runs.parent_id = run AND runs.finished_at IS NOT NULL)
$$;

-- Why a run is dead.
CREATE FUNCTION perdure.death(limit_ integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT format('ended its worker at each of %s attempts; see the log of the workers; start it again with '
                  'a new id once mended', limit_)
$$;

-- The functions below, up to `apply_batch`, return what is not plainly accepted: a JSON array of
-- [section, number within the section, 'existed' | 'refused' | 'state', details...]; NULL when there is nothing.

-- An id is taken once. A run made inside another joins the claim that makes it, which may be one that this very
-- section takes; one from outside needs only the fence. `seq` follows the batch, but the rows go in by id: two batches
-- that make the same runs wait for each other in one direction only.
CREATE FUNCTION perdure.create_runs(me uuid, entries json) RETURNS jsonb LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    made integer;
BEGIN
    WITH entry AS MATERIALIZED (
        SELECT entry.*, nextval('perdure.runs_seq_seq') AS seq
          FROM json_populate_recordset(NULL::perdure.run_created, entries) AS entry
    ), run AS (
        INSERT INTO perdure.runs (seq, id, kind, name, queue, state, priority, due_at, created_at, started_at, worker,
                                  claim, attempts, max_attempts, created_by, parent_id, parent_key, fingerprint)
        OVERRIDING SYSTEM VALUE
        SELECT seq, run_id, kind, name, queue, CASE WHEN held_as IS NULL THEN 'ready' ELSE 'held' END, priority,
               CASE WHEN held_as IS NULL THEN to_timestamp(due_at) END, moment,
               CASE WHEN held_as IS NOT NULL THEN moment END, CASE WHEN held_as IS NOT NULL THEN me END, held_as,
               (held_as IS NOT NULL)::integer, max_attempts, entry_id, parent_id, parent_key, fingerprint
          FROM entry
         WHERE claim IS NULL
            OR EXISTS (SELECT 1 FROM perdure.runs AS creator
                        WHERE creator.worker = me AND creator.claim = entry.claim AND creator.state = 'held' OFFSET 0)
            OR claim IN (SELECT sibling.held_as FROM entry AS sibling)
         ORDER BY run_id COLLATE "C"
        ON CONFLICT (id) DO NOTHING
        RETURNING id, created_by
    ), input AS (
        INSERT INTO perdure.inputs (run_id, codec, body)
        SELECT entry.run_id, (entry.input).codec, (entry.input).text
          FROM entry JOIN run ON run.id = entry.run_id AND run.created_by = entry.entry_id
    )
    SELECT count(*) INTO made FROM run;
    IF made = json_array_length(entries) THEN
        RETURN NULL;
    END IF;
    RETURN perdure.creation_verdicts(me, entries);
END $$;

-- Runs from outside whose whole life, from creation to end, falls into one batch: a single row each, which nobody has
-- seen before, so no cancel can be meant for it. False where one of them is not new; then nothing of this may stay.
CREATE FUNCTION perdure.create_lived_runs(entries json) RETURNS boolean LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    made integer;
BEGIN
    WITH entry AS MATERIALIZED (
        SELECT entry.*, nextval('perdure.runs_seq_seq') AS seq
          FROM json_populate_recordset(NULL::perdure.run_lived, entries) AS entry
    ), run AS (
        INSERT INTO perdure.runs (seq, id, kind, name, queue, state, priority, created_at, started_at, finished_at,
                                  attempts, max_attempts, created_by, finished_by, last_claim, last_state, fingerprint,
                                  reason)
        OVERRIDING SYSTEM VALUE
        SELECT seq, run_id, kind, name, queue, state, priority, moment, moment, moment, 1, max_attempts, entry_id,
               held_as, held_as, state, fingerprint, reason
          FROM entry
         ORDER BY run_id COLLATE "C"
        ON CONFLICT (id) DO NOTHING
        RETURNING id
    ), input AS (
        INSERT INTO perdure.inputs (run_id, codec, body)
        SELECT run_id, (entry.input).codec, (entry.input).text FROM entry
        ON CONFLICT (run_id) DO NOTHING
    ), output AS (
        INSERT INTO perdure.outputs (run_id, codec, body)
        SELECT run_id, (entry.output).codec, (entry.output).text FROM entry WHERE (entry.output).codec IS NOT NULL
        ON CONFLICT (run_id) DO NOTHING
    )
    SELECT count(*) INTO made FROM run;
    RETURN made = json_array_length(entries);
END $$;

-- What became of a section of which some runs were not made. Their own trace comes first: a resent entry is accepted.
CREATE FUNCTION perdure.creation_verdicts(me uuid, entries json) RETURNS jsonb LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    RETURN (
        WITH entry AS MATERIALIZED (
            SELECT * FROM json_populate_recordset(NULL::perdure.run_created, entries) WITH ORDINALITY AS entry
        ), judged AS (
            SELECT entry.ordinality, run.name, run.fingerprint, run.state,
                   run.created_by IS NOT DISTINCT FROM entry.entry_id
                   AND NOT EXISTS (SELECT 1 FROM entry AS other JOIN perdure.runs AS taken ON taken.id = other.run_id
                                    WHERE other.held_as = entry.claim AND taken.created_by <> other.entry_id) AS is_own,
                   run.id IS NOT NULL AND (entry.claim IS NULL OR EXISTS (
                       SELECT 1 FROM perdure.runs AS creator
                        WHERE creator.worker = me AND creator.claim = entry.claim AND creator.state = 'held')
                   ) AS is_known
              FROM entry LEFT JOIN perdure.runs AS run ON run.id = entry.run_id
        )
        SELECT jsonb_agg(CASE
                   WHEN is_known THEN jsonb_build_array('c', ordinality, 'existed', name, fingerprint, state)
                   ELSE jsonb_build_array('c', ordinality, 'refused', 'the claim that makes this run has ended')
               END)
          FROM judged WHERE NOT is_own
    );
END $$;

-- Joins the claim, so that nobody who has lost the run can add to it; a resent entry changes nothing. Never touches
-- the run's row: a transactional step holds a share lock on it (rule 9).
CREATE FUNCTION perdure.record_checkpoints(me uuid, entries json) RETURNS jsonb LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    made integer;
BEGIN
    INSERT INTO perdure.checkpoints (run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, codec,
                                     body, attempts, started_at)
    SELECT run_id, key, claim, entry_id, position, kind, name, fingerprint, is_error, (outcome).codec, (outcome).text,
           attempts, to_timestamp(started_at)
      FROM json_populate_recordset(NULL::perdure.step_recorded, entries) AS entry
     WHERE EXISTS (SELECT 1 FROM perdure.runs AS run
                    WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me AND run.state = 'held'
                   OFFSET 0)
    ON CONFLICT (run_id, key) DO NOTHING;
    GET DIAGNOSTICS made = ROW_COUNT;
    IF made = json_array_length(entries) THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT jsonb_agg(jsonb_build_array('s', entry.ordinality, 'refused', CASE
                   WHEN found.key IS NULL THEN 'its claim has ended'
                   ELSE 'another outcome is recorded under this key' END))
          FROM json_populate_recordset(NULL::perdure.step_recorded, entries) WITH ORDINALITY AS entry
          LEFT JOIN perdure.checkpoints AS found ON found.run_id = entry.run_id AND found.key = entry.key
         WHERE (found.claim, found.entry_id) IS DISTINCT FROM (entry.claim, entry.entry_id)
    );
END $$;

-- Finishes (f), parks (p) and releases (r), told apart by the letters of `kinds`. The rows are locked first, in the
-- order of their ids; only the next statement looks for cancels: an acknowledged one is never passed by (rule 8).
CREATE FUNCTION perdure.end_claims(me uuid, entries json, kinds text) RETURNS jsonb LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    ended integer;
    changed jsonb;
    cancelled text[];
BEGIN
    PERFORM 1
       FROM (SELECT run_id, claim FROM json_populate_recordset(NULL::perdure.claim_ended, entries)
              ORDER BY run_id) AS entry
      CROSS JOIN LATERAL (SELECT 1 FROM perdure.runs AS run
                           WHERE run.id = entry.run_id AND run.claim = entry.claim AND run.worker = me
                             FOR NO KEY UPDATE) AS locked;
    WITH entry AS MATERIALIZED (
        SELECT entry.*, substr(kinds, ordinality::integer, 1) AS how,
               EXISTS (SELECT 1 FROM perdure.messages
                        WHERE messages.run_id = entry.run_id AND messages.kind = 'cancel' OFFSET 0) AS is_cancelled
          FROM json_populate_recordset(NULL::perdure.claim_ended, entries) WITH ORDINALITY AS entry
    ), fate AS (
        SELECT entry.*, run.place, CASE
                   WHEN how = 'f' AND is_cancelled THEN 'cancelled'
                   WHEN how = 'f' THEN entry.state
                   WHEN how = 'p' THEN 'parked'
                   WHEN charged AND run.attempts >= run.max_attempts AND NOT is_cancelled
                        AND perdure.progress_of(run.id) <= run.progress_mark THEN 'dead'
                   ELSE 'ready'
               END AS becomes
          FROM entry CROSS JOIN LATERAL (
                   SELECT ctid AS place, id, attempts, max_attempts, progress_mark FROM perdure.runs
                    WHERE id = entry.run_id AND claim = entry.claim AND worker = me AND state = 'held' OFFSET 0) AS run
    ), over AS (
        UPDATE perdure.runs AS run
           SET state = becomes, worker = NULL, claim = NULL, last_claim = run.claim, last_state = becomes,
               finished_by = CASE WHEN becomes NOT IN ('ready', 'parked') THEN run.claim END,
               finished_at = CASE WHEN becomes NOT IN ('ready', 'parked') THEN clock_timestamp() END,
               attempts = CASE WHEN how = 'p' OR (how = 'r' AND NOT fate.charged) THEN greatest(run.attempts - 1, 0)
                               ELSE run.attempts END,
               due_at = CASE WHEN how = 'p' THEN to_timestamp(fate.due_at) END,
               children_seen = CASE WHEN how = 'p' THEN fate.children_seen END,
               waits_for = CASE WHEN how = 'p' THEN nullif(fate.waits_for, '{}') END,
               needs_mend = how = 'p' AND fate.needs_mend,
               reason = CASE WHEN becomes = 'dead'
                             THEN perdure.death(run.max_attempts) || coalesce('; the last one: ' || fate.reason, '')
                             ELSE fate.reason END
          FROM fate
         WHERE run.ctid = fate.place
        RETURNING run.id, becomes, how, ordinality, fate.state AS wanted, output
    ), kept AS (
        INSERT INTO perdure.outputs (run_id, codec, body)
        SELECT id, (output).codec, (output).text FROM over
         WHERE becomes IN ('succeeded', 'failed') AND (output).codec IS NOT NULL
    )
    SELECT count(*), array_agg(id ORDER BY id) FILTER (WHERE becomes = 'cancelled'),
           jsonb_agg(jsonb_build_array('e', ordinality, 'state', becomes))
               FILTER (WHERE becomes = 'dead' OR (how = 'f' AND becomes <> wanted))
      INTO ended, cancelled, changed
      FROM over;
    IF cancelled IS NOT NULL THEN
        PERFORM perdure.consume_cancels(cancelled);
    END IF;
    IF ended = json_array_length(entries) THEN
        RETURN changed;
    END IF;
    RETURN (
        SELECT jsonb_agg(CASE
                   WHEN own THEN jsonb_build_array('e', ordinality, 'state', state)
                   ELSE jsonb_build_array('e', ordinality, 'refused', 'its claim has ended') END)
          FROM (SELECT entry.ordinality, run.state, entry.state AS wanted, coalesce(CASE substr(kinds, ordinality::integer, 1)
                           WHEN 'f' THEN run.finished_by = entry.claim
                           WHEN 'p' THEN run.last_claim = entry.claim AND run.last_state = 'parked'
                           ELSE run.last_claim = entry.claim AND run.last_state IN ('ready', 'dead') END, false) AS own
                  FROM json_populate_recordset(NULL::perdure.claim_ended, entries) WITH ORDINALITY AS entry
                  LEFT JOIN perdure.runs AS run ON run.id = entry.run_id) AS judged
         WHERE NOT own OR state = 'dead' OR state <> wanted
    );
END $$;

-- Rule 6, one entry after the other, when one of a batch was refused: it refuses the later ones of its claim, all
-- others are written. Ends of claims come last, as in the set-wise way.
CREATE FUNCTION perdure.apply_in_order(me uuid, created json, recorded json, ended json, kinds text)
RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    creations json[] := ARRAY(SELECT json_array_elements(created));
    records json[] := ARRAY(SELECT json_array_elements(recorded));
    endings json[] := ARRAY(SELECT json_array_elements(ended));
    is_ending boolean;
    letter text;
    nth integer;
    counts integer[];
    entry json;
    verdict jsonb;
    verdicts jsonb := '[]';
    poisoned text[] := '{}';
BEGIN
    FOREACH is_ending IN ARRAY ARRAY[false, true] LOOP
        counts := ARRAY[0, 0, 0];
        FOR place IN 1 .. length(kinds) LOOP
            letter := substr(kinds, place, 1);
            nth := CASE letter WHEN 'c' THEN 1 WHEN 's' THEN 2 ELSE 3 END;
            counts[nth] := counts[nth] + 1;
            CONTINUE WHEN (nth = 3) <> is_ending;
            entry := CASE nth WHEN 1 THEN creations[counts[1]] WHEN 2 THEN records[counts[2]] ELSE endings[counts[3]] END;
            IF entry ->> 'claim' = ANY (poisoned) THEN
                verdict := jsonb_build_array(jsonb_build_array(
                    '', 1, 'refused', 'an earlier entry of its claim was refused'));
            ELSIF nth = 1 THEN
                verdict := perdure.create_runs(me, json_build_array(entry));
            ELSIF nth = 2 THEN
                verdict := perdure.record_checkpoints(me, json_build_array(entry));
            ELSE
                verdict := perdure.end_claims(me, json_build_array(entry), letter);
            END IF;
            IF verdict IS NOT NULL THEN
                IF verdict -> 0 ->> 2 = 'refused' THEN
                    poisoned := poisoned || (entry ->> 'claim');
                END IF;
                verdict := jsonb_set(verdict -> 0, '{0}', to_jsonb((ARRAY['c', 's', 'e'])[nth]));
                verdicts := verdicts || jsonb_build_array(jsonb_set(verdict, '{1}', to_jsonb(counts[nth])));
            END IF;
        END LOOP;
    END LOOP;
    RETURN verdicts;
END $$;

-- Rule 8: cancels of what this worker holds, told with the answer to its batch.
CREATE FUNCTION perdure.cancels_for(me uuid) RETURNS jsonb LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    RETURN (SELECT jsonb_agg(jsonb_build_array('x', 0, 'cancel', message.run_id))
              FROM perdure.messages AS message
             WHERE message.consumed_at IS NULL AND message.kind = 'cancel'
               AND EXISTS (SELECT 1 FROM perdure.runs AS run WHERE run.id = message.run_id AND run.worker = me OFFSET 0));
END $$;

-- Rules 1, 2 and 6: a worker's batch. `kinds` has one letter per entry, in the batch's order (c, s, f, p, r); the
-- sections have the entries of each kind in the same order. `lived` has runs of which the sections know nothing else.
-- '' when all are accepted, 'fenced', or the exceptions, cancels among them; 'again', and nothing was written, where there are some beside
-- `lived`: then the same is to be sent without that section.
CREATE FUNCTION perdure.apply_batch(me uuid, expected bigint, created json, recorded json, ended json, kinds text,
                                    lived json)
RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    verdicts jsonb := NULL;
    more jsonb;
BEGIN
    IF NOT perdure.fence(me, expected) THEN
        RETURN 'fenced';
    END IF;
    BEGIN
        IF lived IS NOT NULL AND NOT perdure.create_lived_runs(lived) THEN
            RAISE EXCEPTION 'a run is not new' USING ERRCODE = 'PD002';
        END IF;
        IF created IS NOT NULL THEN
            verdicts := perdure.create_runs(me, created);
        END IF;
        IF recorded IS NOT NULL THEN
            more := perdure.record_checkpoints(me, recorded);
            verdicts := coalesce(verdicts || more, verdicts, more);
        END IF;
        IF ended IS NOT NULL THEN
            more := perdure.end_claims(me, ended, translate(kinds, 'cs', ''));
            verdicts := coalesce(verdicts || more, verdicts, more);
        END IF;
        IF verdicts IS NOT NULL AND lived IS NOT NULL THEN
            RAISE EXCEPTION 'there are exceptions' USING ERRCODE = 'PD002';
        END IF;
        IF verdicts IS NOT NULL AND verdicts @? '$[*][2] ? (@ == "refused")' THEN
            RAISE EXCEPTION 'an entry was refused' USING ERRCODE = 'PD001';
        END IF;
    EXCEPTION
        WHEN SQLSTATE 'PD001' THEN
            verdicts := perdure.apply_in_order(me, created, recorded, ended, kinds);
        WHEN SQLSTATE 'PD002' THEN
            RETURN 'again';
    END;
    PERFORM 1 FROM perdure.messages WHERE consumed_at IS NULL ORDER BY run_id LIMIT 1;  -- an index, mostly empty
    IF FOUND THEN
        more := perdure.cancels_for(me);
        verdicts := coalesce(verdicts || more, verdicts, more);
    END IF;
    RETURN coalesce(verdicts::text, '');
END $$;

-- Rule 7: whose wait is over becomes ready, looked up and never flagged.
CREATE FUNCTION perdure.wake_runs(served text[]) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    due text[];
    woken text[];
BEGIN
    due := ARRAY(SELECT id FROM perdure.due_runs WHERE queue = ANY (served) ORDER BY due_at LIMIT 1000
                    FOR NO KEY UPDATE SKIP LOCKED);
    woken := ARRAY(SELECT id FROM perdure.woken_runs WHERE queue = ANY (served) ORDER BY seq LIMIT 1000
                      FOR NO KEY UPDATE SKIP LOCKED);
    IF cardinality(due) + cardinality(woken) > 0 THEN
        UPDATE perdure.runs SET state = 'ready', due_at = NULL, children_seen = NULL, waits_for = NULL
         WHERE id = ANY (due || woken);
    END IF;
END $$;

-- Rules 1, 4, 7 and 11: the oldest of the lowest priority of each queue, with the nth of the fresh claims each. The
-- attempt is charged here and nowhere else. `last_attempts`: whether runs at their last one are 'left' where they are,
-- or a single one is taken by a worker that holds nothing ('alone'), or they are taken 'beside' others. NO KEY UPDATE, since UPDATE would skip a run while someone's open
-- transaction sends to it. A single row with nth = 0 says that the worker is fenced.
CREATE FUNCTION perdure.claim_runs(me uuid, expected bigint, queues text[], slots integer[], names text[],
                                   claims uuid[], last_attempts text)
RETURNS TABLE (nth integer, id text, kind text, name text, queue text, priority integer, codec text, body text,
               attempts integer, max_attempts integer, is_fresh boolean, parent_id text, parent_key text,
               is_cancelled boolean, claimed_at double precision)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
#variable_conflict use_column
DECLARE
    used integer := 0;
    picked text[];
    holds_some boolean := EXISTS (SELECT 1 FROM perdure.runs WHERE runs.worker = me);
BEGIN
    IF NOT perdure.fence(me, expected) THEN
        nth := 0;
        RETURN NEXT;
        RETURN;
    END IF;
    IF last_attempts = 'alone' AND holds_some THEN
        RETURN;
    END IF;
    PERFORM perdure.wake_runs(queues);
    FOR i IN 1 .. cardinality(queues) LOOP
        picked := ARRAY(
            SELECT run.id
              FROM perdure.runs AS run
             WHERE run.state = 'ready' AND run.due_at IS NULL AND run.queue = queues[i] AND run.name = ANY (names)
               AND (last_attempts = 'beside' OR (last_attempts = 'alone') = CASE
                        WHEN run.attempts = 0 OR run.attempts < run.max_attempts - 1 THEN false
                        ELSE perdure.progress_of(run.id) <= run.progress_mark END)
             ORDER BY run.priority, run.seq
             LIMIT CASE WHEN last_attempts = 'alone' THEN least(slots[i], 1) ELSE slots[i] END
               FOR NO KEY UPDATE SKIP LOCKED);
        CONTINUE WHEN cardinality(picked) = 0;
        RETURN QUERY
        WITH charge AS MATERIALIZED (
            SELECT run.place, run.is_fresh, used + picked.ordinality::integer AS nth,
                   CASE WHEN run.is_fresh THEN 0 ELSE perdure.progress_of(picked.id)::integer END AS steps
              FROM unnest(picked) WITH ORDINALITY AS picked (id, ordinality)
             CROSS JOIN LATERAL (SELECT runs.ctid AS place, runs.started_at IS NULL AS is_fresh FROM perdure.runs
                                  WHERE runs.id = picked.id OFFSET 0) AS run
        ), held AS (
            UPDATE perdure.runs AS run
               SET state = 'held', worker = me, claim = claims[charge.nth], reason = NULL,
                   started_at = coalesce(run.started_at, clock_timestamp()),
                   attempts = CASE WHEN charge.steps > run.progress_mark THEN 1 ELSE run.attempts + 1 END,
                   progress_mark = greatest(run.progress_mark, charge.steps), is_beside = holds_some OR last_attempts = 'beside'
              FROM charge
             WHERE run.ctid = charge.place
            RETURNING charge.nth, run.id, run.kind, run.name, run.queue, run.priority, run.attempts,
                      run.max_attempts, charge.is_fresh, run.parent_id, run.parent_key
        )
        SELECT held.nth, held.id, held.kind, held.name, held.queue, held.priority, input.codec, input.body,
               held.attempts, held.max_attempts, held.is_fresh, held.parent_id, held.parent_key,
               EXISTS (SELECT 1 FROM perdure.messages
                        WHERE messages.run_id = held.id AND messages.kind = 'cancel' OFFSET 0),
               extract(epoch FROM clock_timestamp())::double precision
          FROM held CROSS JOIN LATERAL (SELECT inputs.codec, inputs.body FROM perdure.inputs
                                         WHERE inputs.run_id = held.id OFFSET 0) AS input
         ORDER BY held.nth;
        used := used + cardinality(picked);
        holds_some := true;
        EXIT WHEN last_attempts = 'alone';
    END LOOP;
END $$;

-- Rule 5: uncharged, what the database says this worker holds and its memory does not know. NULL when fenced.
CREATE FUNCTION perdure.reconcile(me uuid, expected bigint, known text[]) RETURNS text[] LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    unknown text[];
BEGIN
    IF NOT perdure.fence(me, expected) THEN
        RETURN NULL;
    END IF;
    unknown := ARRAY(SELECT id FROM perdure.runs WHERE worker = me AND id NOT IN (SELECT unnest(known))
                      ORDER BY id FOR NO KEY UPDATE);
    UPDATE perdure.runs SET state = 'ready', worker = NULL, claim = NULL, attempts = greatest(attempts - 1, 0)
     WHERE id = ANY (unknown) AND worker = me;
    RETURN unknown;
END $$;

-- A worker that leaves gives back all its runs, uncharged, and then its right to write. Waits for its own open batch.
CREATE FUNCTION perdure.leave(me uuid) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off AS $$
BEGIN
    PERFORM 1 FROM perdure.workers WHERE id = me FOR UPDATE;
    PERFORM 1 FROM perdure.runs WHERE worker = me ORDER BY id FOR NO KEY UPDATE;
    UPDATE perdure.runs SET state = 'ready', worker = NULL, claim = NULL, attempts = greatest(attempts - 1, 0)
     WHERE worker = me;
    DELETE FROM perdure.workers WHERE id = me;
END $$;

-- Rule 3, in two statements: as one, it would take its snapshot, wait for the victim's lock, and miss what a claim
-- commits meanwhile. NULL when somebody else was first, the worker is writing, or it has renewed its lease since `seen`.
-- Dead is only a run that died alone (rule 11): whose worker held nothing else, neither at its claim nor at its death.
CREATE FUNCTION perdure.take_over(victim uuid, seen double precision) RETURNS text[] LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    gone uuid;
    back text[];
    cancelled text[];
BEGIN
    DELETE FROM perdure.workers
     WHERE id = (SELECT id FROM perdure.workers
                  WHERE id = victim AND (seen IS NULL OR extract(epoch FROM renewed_at)::double precision = seen)
                    FOR UPDATE SKIP LOCKED)
    RETURNING id INTO gone;
    IF gone IS NULL THEN
        RETURN NULL;
    END IF;
    back := ARRAY(SELECT id FROM perdure.runs WHERE worker = victim ORDER BY id FOR NO KEY UPDATE);
    WITH fate AS MATERIALIZED (
        SELECT ctid AS place, CASE
                   WHEN EXISTS (SELECT 1 FROM perdure.messages
                                 WHERE messages.run_id = runs.id AND messages.kind = 'cancel') THEN 'cancelled'
                   WHEN attempts >= max_attempts AND NOT is_beside AND cardinality(back) = 1
                        AND perdure.progress_of(id) <= progress_mark THEN 'dead'
                   ELSE 'ready'
               END AS becomes
          FROM perdure.runs WHERE worker = victim
    ), over AS (
        UPDATE perdure.runs AS run
           SET state = becomes, worker = NULL, claim = NULL,
               finished_at = CASE WHEN becomes <> 'ready' THEN clock_timestamp() END,
               reason = CASE WHEN becomes = 'dead' THEN perdure.death(run.max_attempts) ELSE run.reason END
          FROM fate WHERE run.ctid = fate.place
        RETURNING run.id, becomes
    )
    SELECT array_agg(id ORDER BY id) INTO cancelled FROM over WHERE becomes = 'cancelled';
    IF cancelled IS NOT NULL THEN
        PERFORM perdure.consume_cancels(cancelled);
    END IF;
    RETURN back;
END $$;

-- Rule 8: whoever sees a cancel on a run that nobody holds ends the run, without its code, and so on down the tree.
CREATE FUNCTION perdure.sweep_cancelled() RETURNS text[] LANGUAGE plpgsql
SET enable_seqscan = off AS $$
DECLARE
    swept text[];
    all_swept text[] := '{}';
BEGIN
    LOOP
        swept := ARRAY(SELECT runs.id
                         FROM perdure.messages JOIN perdure.runs ON runs.id = messages.run_id
                        WHERE messages.consumed_at IS NULL AND messages.kind = 'cancel'
                          AND runs.state IN ('ready', 'parked')
                        ORDER BY runs.id FOR NO KEY UPDATE OF runs SKIP LOCKED);
        EXIT WHEN cardinality(swept) = 0;
        UPDATE perdure.runs
           SET state = 'cancelled', finished_at = clock_timestamp(), due_at = NULL, children_seen = NULL,
               waits_for = NULL, needs_mend = false
         WHERE id = ANY (swept);
        PERFORM perdure.consume_cancels(swept);
        all_swept := all_swept || swept;
    END LOOP;
    RETURN all_swept;
END $$;
