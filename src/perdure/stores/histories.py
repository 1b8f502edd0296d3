"""Histories from the rows that every store's queries of them give. No statement here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .._entries import Checkpoint, ChildRow, HistoryRows, Stored
from ..typing import RunId


def checkpoint_of(row: Sequence[Any]) -> tuple[RunId, Checkpoint]:
    """A row of `history_checkpoints`."""
    run_id, key, kind, name, fingerprint, is_error, codec, body, position, attempts = row
    return run_id, Checkpoint(key, kind, name, fingerprint, bool(is_error), Stored(codec, body), position, attempts)


def histories_of(
    run_ids: Sequence[RunId],
    checkpoints: Iterable[Sequence[Any]],
    children: Iterable[Sequence[Any]],
    cancelled: Iterable[Sequence[Any]],
) -> list[HistoryRows]:
    """The rows of `history_checkpoints`, `history_children` and `cancelled_among`, by run, in the order asked for."""
    found = {run_id: HistoryRows([], [], False) for run_id in run_ids}
    for row in checkpoints:
        run_id, checkpoint = checkpoint_of(row)
        found[run_id].checkpoints.append(checkpoint)
    for parent_id, *child in children:
        found[parent_id].children.append(ChildRow(*child))
    for (run_id,) in cancelled:
        found[run_id].is_cancelled = True
    return [found[run_id] for run_id in run_ids]
