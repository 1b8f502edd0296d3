"""`PerdureSaver`: LangGraph's checkpoints in the database that Perdure uses."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, get_checkpoint_id
from langgraph.checkpoint.memory import InMemorySaver

from .. import UsageError, where
from ._langgraph_pruning import deletions
from ._langgraph_rows import Rows, Select


class PerdureSaver(BaseCheckpointSaver):  # type: ignore[type-arg,unused-ignore]  # Any where the framework is not
    """`builder.compile(checkpointer=PerdureSaver("perdure.db"))`, for a graph that runs outside workflows.

    `url` is a path or URL as `Perdure` takes it, by default that of `PERDURE_URL`, else `perdure.db`. The tables are
    made by the first use: `langgraph_*` in the SQLite file, the schema `perdure_langgraph` in Postgres. `serde` is
    the framework's serializer. In a workflow every method raises `UsageError`: `durable(graph)` is for that.
    """

    def __init__(self, url: str | os.PathLike[str] | None = None, *, serde: Any = None) -> None:
        super().__init__(serde=serde)
        self._rows = Rows(url)

    def close(self) -> None:
        """Close the connection; the next use makes another one."""
        self._rows.close()

    def get_next_version(self, current: Any, channel: Any) -> str:
        """The version after `current`, in the form that the framework's own saver in memory uses."""
        return self._scratch().get_next_version(current, channel)

    def get_tuple(self, config: Any) -> Any:
        """The checkpoint that `config` names, else the latest of its thread; None if there is none."""
        _check()
        thread_id, ns = config["configurable"]["thread_id"], config["configurable"].get("checkpoint_ns", "")
        key = {"thread_id": thread_id, "ns": ns}
        found = get_checkpoint_id(config) or next((row[0] for row in self._rows.select("latest", **key)), None)
        if found is None:
            return None
        scratch = self._scratch()
        for row in self._rows.select("checkpoint", **key, id=found):
            _keep_checkpoint(scratch, thread_id, row)
            for channel, version in self.serde.loads_typed((row[3], bytes(row[4])))["channel_versions"].items():
                for value in self._rows.select("value", **key, channel=channel, version=json.dumps(version)):
                    _keep_value(scratch, thread_id, value)
        for row in self._rows.select("writes", **key, id=found):
            _keep_write(scratch, thread_id, row)
        return scratch.get_tuple(config)

    def list(
        self, config: Any, *, filter: dict[str, Any] | None = None, before: Any = None, limit: int | None = None
    ) -> Iterator[Any]:
        """The checkpoints of a thread, or of all, latest first. Reads a whole thread at a time."""
        _check()
        threads = [config["configurable"]["thread_id"]] if config else [row[0] for row in self._rows.select("threads")]
        for thread_id in threads:
            one = config or {"configurable": {"thread_id": thread_id}}
            for found in self._thread(thread_id).list(one, filter=filter, before=before, limit=limit):
                yield found
                limit = None if limit is None else limit - 1

    def get_delta_channel_history(self, *, config: Any, channels: Sequence[str]) -> Any:
        """What has been written to these channels since their last snapshot. Reads a whole thread."""
        _check()
        scratch = self._thread(config["configurable"]["thread_id"])
        return scratch.get_delta_channel_history(config=config, channels=channels)

    def put(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """Keep a checkpoint, with the values that are new in it, in one transaction."""
        _check()
        scratch = self._scratch()
        stored = scratch.put(config, checkpoint, metadata, new_versions)
        self._rows.change(_rows_of(scratch))
        return stored

    def put_writes(self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = "") -> None:
        """Keep what a task has written before its checkpoint is there, in one transaction."""
        _check()
        scratch = self._scratch()
        scratch.put_writes(config, writes, task_id, task_path)
        self._rows.change(_rows_of(scratch))

    def delete_thread(self, thread_id: str) -> None:
        """Delete all that is kept of a thread, in one transaction."""
        _check()
        key = {"thread_id": thread_id}
        self._rows.change((name, key) for name in ("delete_writes", "delete_values", "delete_checkpoints"))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy all that is kept of a thread to another one, beside what that has, in one transaction."""
        _check()
        key = {"source": source_thread_id, "target": target_thread_id}
        self._rows.change((name, key) for name in ("copy_checkpoints", "copy_values", "copy_writes"))

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Delete all checkpoints of the threads, with `"delete"`, or all but the latest of each namespace, with
        `"keep_latest"`. Those that delta channels of the latest are built on stay. One transaction for each thread; no
        graph may go on from an older checkpoint of it meanwhile. Raises `UsageError` for another strategy.
        """
        _check()
        if strategy not in ("keep_latest", "delete"):
            raise UsageError(f"PerdureSaver.prune: strategy={strategy!r}; these are: 'keep_latest', 'delete'")
        for thread_id in thread_ids:
            if strategy == "delete":
                self.delete_thread(thread_id)
            else:
                self._rows.revise(partial(self._all_but_latest, thread_id))

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Delete the checkpoints that these runs of graphs have made, but for those that delta channels of later ones
        are built on. One transaction; it looks at the metadata of all checkpoints.
        """
        _check()
        wanted = set(run_ids)
        if wanted:
            self._rows.revise(partial(self._of_runs, wanted))

    def _all_but_latest(self, thread_id: str, select: Select) -> Iterator[Any]:
        scratch = self._thread(thread_id, select)
        latest = {(ns, max(checkpoints)) for ns, checkpoints in scratch.storage[thread_id].items()}
        yield from deletions(scratch, thread_id, lambda place, metadata: place in latest)

    def _of_runs(self, run_ids: set[str], select: Select) -> Iterator[Any]:
        found = {
            thread_id
            for thread_id, kind, metadata in select("all_metadata")
            if self.serde.loads_typed((kind, bytes(metadata))).get("run_id") in run_ids
        }
        for thread_id in sorted(found):
            scratch = self._thread(thread_id, select)
            yield from deletions(scratch, thread_id, lambda place, metadata: metadata.get("run_id") not in run_ids)

    async def aget_tuple(self, config: Any) -> Any:
        """`get_tuple`, in a thread."""
        _check()
        return await asyncio.to_thread(self.get_tuple, config)

    async def alist(self, config: Any, **others: Any) -> AsyncIterator[Any]:
        """`list`, in a thread."""
        _check()
        for found in await asyncio.to_thread(lambda: [*self.list(config, **others)]):
            yield found

    async def aget_delta_channel_history(self, *, config: Any, channels: Sequence[str]) -> Any:
        """`get_delta_channel_history`, in a thread."""
        _check()
        return await asyncio.to_thread(lambda: self.get_delta_channel_history(config=config, channels=channels))

    async def aput(self, config: Any, checkpoint: Any, metadata: Any, new_versions: Any) -> Any:
        """`put`, in a thread."""
        _check()
        return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self, config: Any, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """`put_writes`, in a thread."""
        _check()
        await asyncio.to_thread(self.put_writes, config, writes, task_id, task_path)

    async def adelete_thread(self, thread_id: str) -> None:
        """`delete_thread`, in a thread."""
        _check()
        await asyncio.to_thread(self.delete_thread, thread_id)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """`copy_thread`, in a thread."""
        _check()
        await asyncio.to_thread(self.copy_thread, source_thread_id, target_thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """`prune`, in a thread."""
        _check()
        await asyncio.to_thread(lambda: self.prune(thread_ids, strategy=strategy))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """`delete_for_runs`, in a thread."""
        _check()
        await asyncio.to_thread(self.delete_for_runs, run_ids)

    def _scratch(self) -> Any:
        """The framework's saver in memory: it knows what a checkpoint is made of, this one only keeps it."""
        return InMemorySaver(serde=self.serde)

    def _thread(self, thread_id: str, select: Select | None = None) -> Any:
        scratch, select = self._scratch(), select or self._rows.select
        keepers = {"all_checkpoints": _keep_checkpoint, "all_values": _keep_value, "all_writes": _keep_write}
        for name, keep in keepers.items():
            for row in select(name, thread_id=thread_id):
                keep(scratch, thread_id, row)
        return scratch


def _check() -> None:
    if where() == "workflow":
        raise UsageError(
            "PerdureSaver keeps checkpoints of graphs that run outside workflows: a workflow would write them again at "
            "every replay. Run durable(graph) in it, whose nodes are steps and which needs no checkpoints"
        )


def _keep_checkpoint(scratch: Any, thread_id: str, row: Any) -> None:
    ns, found, parent, kind, body, metadata_kind, metadata = row
    scratch.storage[thread_id][ns][found] = ((kind, bytes(body)), (metadata_kind, bytes(metadata)), parent)


def _keep_value(scratch: Any, thread_id: str, row: Any) -> None:
    ns, channel, version, kind, body = row
    scratch.blobs[(thread_id, ns, channel, json.loads(version))] = (kind, bytes(body))


def _keep_write(scratch: Any, thread_id: str, row: Any) -> None:
    ns, checkpoint, task, index, channel, kind, body, path = row
    scratch.writes[(thread_id, ns, checkpoint)][(task, index)] = (task, channel, (kind, bytes(body)), path)


def _rows_of(scratch: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is to be kept of what was put into the saver in memory."""
    for (thread, ns, channel, version), (kind, body) in scratch.blobs.items():
        key = {"thread_id": thread, "ns": ns, "channel": channel, "version": json.dumps(version)}
        yield "put_value", {**key, "kind": kind, "body": body}
    for thread, namespaces in scratch.storage.items():
        for ns, checkpoints in namespaces.items():
            for found, ((kind, body), (metadata_kind, metadata), parent) in checkpoints.items():
                key = {"thread_id": thread, "ns": ns, "id": found, "parent_id": parent}
                what = {"kind": kind, "body": body, "metadata_kind": metadata_kind, "metadata": metadata}
                yield "put_checkpoint", {**key, **what}
    for (thread, ns, checkpoint), writes in scratch.writes.items():
        for (task, index), (_, channel, (kind, body), path) in writes.items():
            key = {"thread_id": thread, "ns": ns, "checkpoint_id": checkpoint, "task_id": task, "idx": index}
            what = {"channel": channel, "kind": kind, "body": body, "task_path": path}
            yield "put_write" if index >= 0 else "put_special_write", {**key, **what}
