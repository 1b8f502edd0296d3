-- name: use_wal
-- Readers and the one writer do not block each other; the setting stays with the file.
PRAGMA journal_mode = WAL;

-- name: sync_every_commit
-- An acknowledged commit must outlive a power cut.
PRAGMA synchronous = FULL;

-- name: enforce_foreign_keys
-- No run names a worker without a row; SQLite leaves this off unless told.
PRAGMA foreign_keys = ON;

-- name: leave_checkpoints_to_us
-- SQLite's own checkpoint after a commit may run beside another writer (see `checkpointing`).
PRAGMA wal_autocheckpoint = 0;

-- name: limit_wal
-- After a checkpoint the next writer cuts the file back to this, so that its size says how much is not copied yet.
PRAGMA journal_size_limit = 4194304;

-- name: cache_pages
-- Inserts under random ids touch pages all over the index; 16 MB hold those of some hundred thousand runs.
PRAGMA cache_size = -16384;

-- name: undo_in_memory
-- What a statement may have to take back it would else copy, page by page, into a temporary file.
PRAGMA temp_store = MEMORY;

-- name: checkpoint_wal
-- Copy what is committed into the main file, as far as no reader needs the old pages; waits for nobody.
PRAGMA wal_checkpoint(PASSIVE);

-- name: application
-- Whose file this is, so that nobody's own database is taken by mistake.
PRAGMA application_id;

-- name: mark_application
-- The file is ours from here on ("PERD").
PRAGMA application_id = 1346720324;

-- name: count_tables
-- A file with tables that are not ours is somebody else's.
SELECT count(*) FROM sqlite_master;

-- name: begin
-- One writer at a time: this takes the database's only write lock, which stands for every row lock of the protocol.
BEGIN IMMEDIATE;

-- name: begin_reading
-- Several questions see one state of the database.
BEGIN DEFERRED;

-- name: commit
-- Durable when this returns.
COMMIT;

-- name: rollback
-- Nothing of the transaction has happened.
ROLLBACK;

-- name: data_version
-- Another number when another connection has committed since this one asked.
PRAGMA data_version;
