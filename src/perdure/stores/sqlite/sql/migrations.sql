-- name: has_migrations
-- Whether the schema was ever laid.
SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'migrations';

-- name: schema_version
-- The last migration that was applied.
SELECT coalesce(max(version), 0) FROM migrations;

-- name: note_migration
-- Each migration is applied once.
INSERT INTO migrations (version, name, applied_at)
SELECT :version, :name, now FROM clock;
