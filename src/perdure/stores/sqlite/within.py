"""Runs made in a user's own transaction on the same file, by the triggers that make those of everybody else.

The user's connection gets them as temporary ones, which are gone when the runs are made.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from ..._entries import Accepted, RunCreated, Verdict
from ..kinds import Kinds
from ..kinds.created import CREATED, keys_of, note_holders
from ..kinds.kind import Situation, Trace
from ..queries import load_queries
from ..tails import DatabaseKind, Statement
from ..verdicts import judge
from .connections import Row
from .rows import section, texts
from .statements import writing
from .transactions import is_file

KINDS = Kinds([CREATED])


class SqliteWithin:
    """`Within` of one file."""

    database: DatabaseKind = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path

    def is_here(self) -> Generator[Statement, list[Row], bool]:
        return is_file(self._path, (yield _named("files")))

    def create(self, entries: Sequence[RunCreated]) -> Generator[Statement, list[Row], list[Verdict]]:
        yield _named("take_write_lock")  # what is found out now stays true
        situation = Situation("")
        for run_id, *columns in _unpacked((yield _named("run_traces", run_ids=texts(e.run_id for e in entries)))):
            situation.runs[run_id] = Trace(*columns)
        note_holders(_unpacked((yield _named("key_holders", keys=keys_of(entries)))), situation)
        judgements = judge(situation, KINDS, entries)
        new = [entry for entry, judgement in zip(entries, judgements, strict=True) if judgement is None]
        if new:
            for text in writing(KINDS.all):
                yield Statement(text, {})
            for name, section_of in KINDS.sort(new, folds_lives=False).items():
                yield _named("write_sections", kind=name, worker_id="", entries=section(section_of))
            yield _named("drop_sections")
        return [judgement or Accepted() for judgement in judgements]


def _named(name: str, **parameters: object) -> Statement:
    return Statement(load_queries(__package__ or "")[name].text, parameters)


def _unpacked(rows: list[Row]) -> list[Any]:
    return [row for (packed,) in rows for row in json.loads(packed)]
