"""Claimed runs, histories and workers from the rows that every store's queries of them give. No statement here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from .._entries import Checkpoint, ChildRow, EndedRun, HistoryRows, Stored
from ..typing import RunId
from .claimed import Claimed, ClaimedRun, Floor
from .limits import SetLimits
from .workers import Served, WorkerRow


def claimed_of(claim: str, row: Sequence[Any]) -> ClaimedRun:
    """A run that was taken under this claim."""
    run_id, kind, name, queue, priority, codec, body, attempts, max_attempts, is_fresh, *rest = row
    parent_id, parent_key, is_cancelled, claimed_at, incarnation, deadline, is_detached, rounds = rest
    return ClaimedRun(
        run_id=run_id,
        claim=claim,
        kind=kind,
        name=name,
        queue=queue,
        priority=priority,
        input=Stored(codec, body),
        attempts=attempts,
        max_attempts=max_attempts,
        is_fresh=bool(is_fresh),
        parent_id=parent_id,
        parent_key=parent_key,
        is_cancelled=bool(is_cancelled),
        claimed_at=claimed_at,
        incarnation=incarnation,
        deadline=deadline,
        is_detached=bool(is_detached),
        rounds=rounds,
    )


def unclaimed(row: Sequence[Any]) -> tuple[int, ClaimedRun]:
    """A row of `unfinished_runs`: its number, and the run, which nobody has taken."""
    seq, *columns = row
    return seq, claimed_of("", columns)


def claimed_rows(rows: Iterable[Sequence[Any]], claims: Sequence[str]) -> Claimed:
    """The answer to a claim: rows with the number of their claim in front and their `seq` at the end, and those that
    say why a queue gave less than was asked (number -1), or what a claim with limits tells beside (-2).
    """
    claimed = Claimed()
    for nth, *row in rows:
        if nth == -1:
            claimed.short[row[3]] = row[2]
            continue
        if nth < 0:
            told = json.loads(row[6])
            note_told(claimed, row[3], told["resumed"], told.get("opens_in"), told.get("ended"))
            claimed.has_cancelled |= told.get("has_cancelled", False)
            continue
        *columns, seq = row
        run = claimed_of(claims[nth - 1], columns)
        claimed.runs.append(run)
        claimed.floors[run.queue] = Floor(run.priority, seq)
    return claimed


def note_told(
    claimed: Claimed, queue: str, resumed: Iterable[str], opens_in: float | None, ended: Iterable[str] | None
) -> None:
    """What a claim of this queue tells beside its runs."""
    claimed.resumed.update(resumed)
    claimed.ended += ended or ()
    if opens_in is not None:
        claimed.opens_in[queue] = opens_in


def set_limits(rows: Iterable[Sequence[Any]] | None) -> dict[str, SetLimits]:
    """The limits that a pulse tells."""
    return {name: SetLimits(own, bool(is_shared), changed_at) for name, own, is_shared, changed_at in rows or ()}


def worker_of(row: Sequence[Any], queues: Iterable[str], names: Iterable[str], version: str | None) -> WorkerRow:
    """A row of `workers`, with what it serves."""
    worker_id, hostname, pid, renewed_at, lease_seconds = row
    served = Served(tuple(queues), tuple(names), version)
    return WorkerRow(worker_id, hostname, pid, renewed_at, lease_seconds, served)


def ended_of(row: Sequence[Any]) -> EndedRun:
    """A row of `ended_runs`."""
    run_id, state, codec, body, reason = row
    return EndedRun(run_id, state, None if codec is None else Stored(codec, body), reason)


def checkpoint_of(row: Sequence[Any]) -> tuple[RunId, Checkpoint]:
    """A row of `history_checkpoints`."""
    run_id, key, kind, name, fingerprint, is_error, codec, body, position, attempts, arguments = row
    outcome = Stored(codec, body)
    return run_id, Checkpoint(key, kind, name, fingerprint, bool(is_error), outcome, position, attempts, arguments)


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
