"""What is read of a run before it is started anew, from the rows that every store's queries of it give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._entries import Stored
from .._steering import Past, PastChild, Record


def past_of(row: Sequence[Any], records: list[Record], children: list[PastChild]) -> Past:
    """A row of `past_run`."""
    run_id, kind, name, state, incarnation, worker_id, parent_id, has_open_parent, *times, codec, body = row
    finished_at, cancelled_at = times
    return Past(
        run_id=run_id,
        kind=kind,
        name=name,
        state=state,
        incarnation=incarnation,
        worker_id=worker_id,
        parent_id=parent_id,
        has_open_parent=bool(has_open_parent),
        finished_at=finished_at,
        cancelled_at=cancelled_at,
        output=None if codec is None else Stored(codec, body),
        records=records,
        children=children,
    )


def record_of(row: Sequence[Any]) -> Record:
    """A row of `past_records`."""
    seq, key, kind, name, is_error, codec, body, *rest = row
    return Record(seq, key, kind, name, bool(is_error), Stored(codec, body), *rest)


def child_of(row: Sequence[Any]) -> PastChild:
    """A row of `past_children`."""
    run_id, state, finished_at, has_cancel, codec, body = row
    return PastChild(run_id, state, finished_at, bool(has_cancel), None if codec is None else Stored(codec, body))
