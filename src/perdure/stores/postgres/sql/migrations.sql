-- name: schema_state
-- Whether the schema was ever laid, and what this role may do about it.
SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = 'perdure') AS has_schema,
       EXISTS (SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
                WHERE nspname = 'perdure' AND relname = 'migrations') AS has_migrations,
       EXISTS (SELECT 1 FROM pg_proc JOIN pg_namespace ON pg_namespace.oid = pronamespace
                WHERE nspname = 'perdure' AND proname = 'demand_' || %(mark)s) AS has_decisions,
       current_user, current_database(),
       has_database_privilege(current_database(), 'CREATE') AS may_create,
       coalesce((SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'perdure'), '') AS owner,
       coalesce((SELECT pg_has_role(nspowner, 'USAGE') FROM pg_namespace WHERE nspname = 'perdure'), true) AS is_owner,
       coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'perdure'), true)
           AS may_use;

-- name: lock_schema
-- One process at a time brings the schema up to date; the lock goes with the transaction.
SELECT pg_advisory_xact_lock(5784093171401027);

-- name: take_time
-- A migration waits for another process's, and may take long itself.
SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true);

-- name: leave_bodies_unchecked
-- What migrations create was tested before it was released: compiling every function again would only cost time.
SET LOCAL check_function_bodies = off;

-- name: wait_a_moment
-- Who waits for a table keeps everybody from it who comes later.
SET LOCAL lock_timeout = '200ms';

-- name: lock_tables
-- In the order of all locks: else it would hold the runs, wait for a worker that has had its fence, and that one for it.
LOCK TABLE perdure.workers, perdure.queues, perdure.runs IN ACCESS EXCLUSIVE MODE;

-- name: make_schema
-- Everything lives in a schema of its own, beside the application's tables. Looked for first: CREATE SCHEMA asks for
-- the right to create one also where it is there, and who owns it need not have that.
DO $$ BEGIN
    IF to_regnamespace('perdure') IS NULL THEN
        CREATE SCHEMA perdure;
    END IF;
END $$;

-- name: make_migrations
-- The record of what was applied.
CREATE TABLE IF NOT EXISTS perdure.migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: make_decisions
-- Which releases' functions were installed, by their mark.
CREATE TABLE IF NOT EXISTS perdure.decisions (
    mark         text PRIMARY KEY,
    installed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: schema_version
-- The last migration that was applied.
SELECT coalesce(max(version), 0) FROM perdure.migrations;

-- name: note_decisions
-- This release's functions are there.
INSERT INTO perdure.decisions (mark) VALUES (%(mark)s)
ON CONFLICT (mark) DO UPDATE SET installed_at = clock_timestamp();

-- name: forget_decisions
-- Of releases that were installed more than a week ago and that no living worker uses. Who starts one again installs it
-- again.
DELETE FROM perdure.decisions AS old
 WHERE old.mark <> %(mark)s AND old.installed_at < clock_timestamp() - interval '7 days'
   AND NOT EXISTS (SELECT 1 FROM perdure.workers WHERE workers.decisions = old.mark)
RETURNING mark;

-- name: functions_of
-- The functions of one release, each as what removes it.
SELECT 'DROP FUNCTION ' || oid::regprocedure FROM pg_proc
 WHERE pronamespace = 'perdure'::regnamespace AND right(proname, length(%(mark)s) + 1) = '_' || %(mark)s;

-- name: schema_identity
-- What tells this database from every other: its number on the server, the schema's, and when that was laid (in
-- microseconds). A copy of a database has another number.
SELECT (SELECT oid FROM pg_database WHERE datname = current_database()), 'perdure'::regnamespace::oid,
       (SELECT (extract(epoch FROM applied_at) * 1000000)::bigint FROM perdure.migrations ORDER BY version LIMIT 1);

-- name: note_migration
-- Each migration is applied once.
INSERT INTO perdure.migrations (version, name) VALUES (%(version)s, %(name)s);
