"""How runs come into a worker's hands, and out of them when it is gone. Inside write transactions, after the fence."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..._entries import Stored
from ...typing import RunId
from ..protocol import ClaimedRun, ClaimRequest
from .batches import end_cancelled
from .connections import Connection, Row
from .rows import Charge, section, texts


def take_claimable(
    connection: Connection, worker_id: str, request: ClaimRequest, claims: Iterator[str]
) -> list[ClaimedRun]:
    """Wake what is due or has what it waited for, then take the first runs of each queue."""
    connection.change("wake_due_runs")
    connection.change("wake_waiting_runs")
    taken: list[ClaimedRun] = []
    charges: list[Charge] = []
    for row in _claimable(connection, worker_id, request):
        priority, seq, run_id, kind, name, queue, codec, body, attempts, max_attempts, mark, is_fresh, *rest = row
        parent_id, parent_key, steps, is_cancelled, claimed_at = rest
        attempts = 1 if steps > mark else attempts + 1
        run = ClaimedRun(
            run_id=run_id,
            claim=next(claims),
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
        )
        taken.append(run)
        charges.append((seq, run.claim, attempts, max(steps, mark)))
    if charges:
        connection.change("take_runs", [worker_id, section(charges)])
    return taken


def put_back_all(connection: Connection, worker_id: str) -> list[RunId]:
    """The runs of a worker whose row was just deleted: cancelled, dead or ready (rules 3, 8 and 11)."""
    held = _ids(connection, "held_runs", worker_id)
    for statement in ("take_over_cancelled_runs", "take_over_dead_runs", "take_over_runs"):
        connection.change(statement, [worker_id])
    end_cancelled(connection, _ids(connection, "cancelled_among", texts(held)))
    return held


def hand_back(connection: Connection, worker_id: str, known: Collection[RunId]) -> list[RunId]:
    """Put back, uncharged, what the worker holds and is not `known`."""
    held = _ids(connection, "held_runs", worker_id)
    connection.change("hand_back_runs", [worker_id, texts(known)])
    return list(set(held).difference(known))


def sweep(connection: Connection) -> list[RunId]:
    """End what nobody holds and somebody has cancelled, then the children that this cancels, down the tree."""
    ended: list[RunId] = []
    while swept := _ids(connection, "sweepable"):
        connection.change("sweep_cancelled_runs")
        end_cancelled(connection, swept)
        ended += swept
    return ended


def _claimable(connection: Connection, worker_id: str, request: ClaimRequest) -> Iterator[Row]:
    names = texts(request.names)
    for queue, slots in request.slots.items():
        if slots <= 0:
            continue
        limit = 1 if request.alone else slots
        found = connection.rows("claimable_runs", [queue, names, request.alone, request.alone, worker_id, limit])
        yield from sorted(found, key=lambda row: (row[0], row[1]))
        if found and request.alone:
            return


def _ids(connection: Connection, statement: str, *parameters: str) -> list[RunId]:
    return [run_id for (run_id,) in connection.rows(statement, parameters)]
