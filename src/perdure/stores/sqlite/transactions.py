"""The last statements of a user's own transaction on the same file (protocol rules 9 and 15)."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import msgspec

from ..._entries import StepRecorded
from ..queries import load_queries
from ..tails import DatabaseKind, Statement, TailVerdict
from .connections import Database, Row


class SqliteTail:
    """`Tail` of one file."""

    kind: DatabaseKind = "sqlite"
    is_exclusive = True

    def __init__(self, database: Database, path: Path) -> None:
        self._database = database
        self._path = path

    def is_here(self, worker_id: str) -> Generator[Statement, list[Row], bool]:
        return is_file(self._path, (yield _statement("files")))

    def record(self, worker_id: str, entry: StepRecorded) -> Generator[Statement, list[Row], TailVerdict]:
        its = {"run_id": entry.run_id, "claim": entry.claim, "key": entry.key}
        [(verdict,)] = yield _statement("transact", worker_id=worker_id, **its)
        if verdict == "made":
            yield _statement("transact_checkpoint", entry=msgspec.json.encode(entry).decode(), **its)
        made: TailVerdict = verdict
        return made

    def was_recorded(self, run_id: str, key: str) -> bool:
        with self._database.spare().writing() as connection:  # whoever has the write lock has committed, or will not
            return bool(connection.query("was_transacted", [run_id, key]))


def is_file(path: Path, files: list[Row]) -> bool:
    """Whether this is the file that a connection has open."""
    return any(name == "main" and file and os.path.realpath(file) == str(path) for _, name, file in files)


def _statement(name: str, **parameters: object) -> Statement:
    return Statement(load_queries(__package__ or "")[name].text, parameters)
