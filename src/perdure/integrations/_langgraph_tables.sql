-- What `PerdureSaver` keeps of LangGraph's threads. The same statements for both databases: `_langgraph_rows` writes the
-- parameters and, for Postgres, the schema as that database wants them.

-- name: schema_sqlite
CREATE TABLE IF NOT EXISTS langgraph_checkpoints (
    thread_id TEXT NOT NULL, ns TEXT NOT NULL, id TEXT NOT NULL, parent_id TEXT,
    kind TEXT NOT NULL, body BLOB NOT NULL, metadata_kind TEXT NOT NULL, metadata BLOB NOT NULL,
    PRIMARY KEY (thread_id, ns, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS langgraph_values (
    thread_id TEXT NOT NULL, ns TEXT NOT NULL, channel TEXT NOT NULL, version TEXT NOT NULL,
    kind TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (thread_id, ns, channel, version)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS langgraph_writes (
    thread_id TEXT NOT NULL, ns TEXT NOT NULL, checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL,
    channel TEXT NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, task_path TEXT NOT NULL,
    PRIMARY KEY (thread_id, ns, checkpoint_id, task_id, idx)) WITHOUT ROWID;

-- name: schema_postgres
-- Two processes that start at once must not both make it.
SELECT pg_advisory_xact_lock(7235419860512);
CREATE SCHEMA IF NOT EXISTS perdure_langgraph;
CREATE TABLE IF NOT EXISTS langgraph_checkpoints (
    thread_id TEXT NOT NULL, ns TEXT NOT NULL, id TEXT COLLATE "C" NOT NULL, parent_id TEXT,
    kind TEXT NOT NULL, body BYTEA NOT NULL, metadata_kind TEXT NOT NULL, metadata BYTEA NOT NULL,
    PRIMARY KEY (thread_id, ns, id));
CREATE TABLE IF NOT EXISTS langgraph_values (
    thread_id TEXT NOT NULL, ns TEXT NOT NULL, channel TEXT NOT NULL, version TEXT NOT NULL,
    kind TEXT NOT NULL, body BYTEA NOT NULL,
    PRIMARY KEY (thread_id, ns, channel, version));
CREATE TABLE IF NOT EXISTS langgraph_writes (
    thread_id TEXT NOT NULL, ns TEXT NOT NULL, checkpoint_id TEXT NOT NULL, task_id TEXT NOT NULL, idx INTEGER NOT NULL,
    channel TEXT NOT NULL, kind TEXT NOT NULL, body BYTEA NOT NULL, task_path TEXT NOT NULL,
    PRIMARY KEY (thread_id, ns, checkpoint_id, task_id, idx));

-- name: put_checkpoint
-- The same checkpoint again takes its own place.
INSERT INTO langgraph_checkpoints (thread_id, ns, id, parent_id, kind, body, metadata_kind, metadata)
VALUES (:thread_id, :ns, :id, :parent_id, :kind, :body, :metadata_kind, :metadata)
ON CONFLICT (thread_id, ns, id) DO UPDATE
   SET parent_id = excluded.parent_id, kind = excluded.kind, body = excluded.body,
       metadata_kind = excluded.metadata_kind, metadata = excluded.metadata;

-- name: put_value
INSERT INTO langgraph_values (thread_id, ns, channel, version, kind, body)
VALUES (:thread_id, :ns, :channel, :version, :kind, :body)
ON CONFLICT (thread_id, ns, channel, version) DO UPDATE SET kind = excluded.kind, body = excluded.body;

-- name: put_write
-- What a task has written stays as it was first written.
INSERT INTO langgraph_writes (thread_id, ns, checkpoint_id, task_id, idx, channel, kind, body, task_path)
VALUES (:thread_id, :ns, :checkpoint_id, :task_id, :idx, :channel, :kind, :body, :task_path)
ON CONFLICT (thread_id, ns, checkpoint_id, task_id, idx) DO NOTHING;

-- name: put_special_write
-- Errors, interrupts and the like: the latest one counts.
INSERT INTO langgraph_writes (thread_id, ns, checkpoint_id, task_id, idx, channel, kind, body, task_path)
VALUES (:thread_id, :ns, :checkpoint_id, :task_id, :idx, :channel, :kind, :body, :task_path)
ON CONFLICT (thread_id, ns, checkpoint_id, task_id, idx) DO UPDATE
   SET channel = excluded.channel, kind = excluded.kind, body = excluded.body, task_path = excluded.task_path;

-- name: threads
SELECT DISTINCT thread_id FROM langgraph_checkpoints ORDER BY thread_id;

-- name: latest
-- Ids begin with the time.
SELECT id FROM langgraph_checkpoints WHERE thread_id = :thread_id AND ns = :ns ORDER BY id DESC LIMIT 1;

-- name: checkpoint
SELECT ns, id, parent_id, kind, body, metadata_kind, metadata
  FROM langgraph_checkpoints WHERE thread_id = :thread_id AND ns = :ns AND id = :id;

-- name: value
SELECT ns, channel, version, kind, body
  FROM langgraph_values WHERE thread_id = :thread_id AND ns = :ns AND channel = :channel AND version = :version;

-- name: writes
SELECT ns, checkpoint_id, task_id, idx, channel, kind, body, task_path
  FROM langgraph_writes WHERE thread_id = :thread_id AND ns = :ns AND checkpoint_id = :id;

-- name: all_checkpoints
SELECT ns, id, parent_id, kind, body, metadata_kind, metadata FROM langgraph_checkpoints WHERE thread_id = :thread_id;

-- name: all_values
SELECT ns, channel, version, kind, body FROM langgraph_values WHERE thread_id = :thread_id;

-- name: all_writes
SELECT ns, checkpoint_id, task_id, idx, channel, kind, body, task_path
  FROM langgraph_writes WHERE thread_id = :thread_id;

-- name: delete_checkpoints
DELETE FROM langgraph_checkpoints WHERE thread_id = :thread_id;

-- name: delete_values
DELETE FROM langgraph_values WHERE thread_id = :thread_id;

-- name: delete_writes
DELETE FROM langgraph_writes WHERE thread_id = :thread_id;

-- name: all_metadata
SELECT thread_id, metadata_kind, metadata FROM langgraph_checkpoints;

-- name: delete_checkpoint
DELETE FROM langgraph_checkpoints WHERE thread_id = :thread_id AND ns = :ns AND id = :id;

-- name: delete_writes_of
DELETE FROM langgraph_writes WHERE thread_id = :thread_id AND ns = :ns AND checkpoint_id = :id;

-- name: delete_value
DELETE FROM langgraph_values WHERE thread_id = :thread_id AND ns = :ns AND channel = :channel AND version = :version;

-- name: copy_checkpoints
-- What the target has under the same id gives way.
INSERT INTO langgraph_checkpoints (thread_id, ns, id, parent_id, kind, body, metadata_kind, metadata)
SELECT :target, ns, id, parent_id, kind, body, metadata_kind, metadata
  FROM langgraph_checkpoints WHERE thread_id = :source
ON CONFLICT (thread_id, ns, id) DO UPDATE
   SET parent_id = excluded.parent_id, kind = excluded.kind, body = excluded.body,
       metadata_kind = excluded.metadata_kind, metadata = excluded.metadata;

-- name: copy_values
INSERT INTO langgraph_values (thread_id, ns, channel, version, kind, body)
SELECT :target, ns, channel, version, kind, body FROM langgraph_values WHERE thread_id = :source
ON CONFLICT (thread_id, ns, channel, version) DO UPDATE SET kind = excluded.kind, body = excluded.body;

-- name: copy_writes
INSERT INTO langgraph_writes (thread_id, ns, checkpoint_id, task_id, idx, channel, kind, body, task_path)
SELECT :target, ns, checkpoint_id, task_id, idx, channel, kind, body, task_path
  FROM langgraph_writes WHERE thread_id = :source
ON CONFLICT (thread_id, ns, checkpoint_id, task_id, idx) DO UPDATE
   SET channel = excluded.channel, kind = excluded.kind, body = excluded.body, task_path = excluded.task_path;
