"""How runs come into a worker's hands, and out of them when it is gone. All but the first inside write transactions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from operator import itemgetter

from ...typing import RunId
from ..histories import claimed_of
from ..protocol import ClaimedRun, ClaimRequest
from .batches import end_cancelled
from .connections import Connection
from .rows import texts


def take_claimable(
    connection: Connection, worker_id: str, request: ClaimRequest, claims: Sequence[str]
) -> list[ClaimedRun]:
    """The first runs of each queue that are ready, due or have what they waited for; each queue's in a transaction of
    its own, unless one is open.

    Raises `StoreRefusedError` where the worker has no row.
    """
    taken: list[ClaimedRun] = []
    names = texts(request.names)
    for queue, slots in request.slots.items():
        most = min(slots, 1) if request.last_attempts == "alone" else slots
        if most > 0:
            drawn = claims[len(taken) : len(taken) + most]
            connection.change("take_runs", [worker_id, queue, most, names, request.last_attempts, texts(drawn)])
            rows = connection.rows("taken_runs", [worker_id, drawn[0]])
            taken += [claimed_of(claim, row) for _, claim, *row in sorted(rows, key=itemgetter(6, 0))]
        if taken and request.last_attempts == "alone":
            break
    return taken


def put_back_all(connection: Connection, worker_id: str) -> list[RunId]:
    """The runs of a worker whose row was just deleted: cancelled, dead or ready (rules 3, 8 and 11)."""
    held = _ids(connection, "held_runs", worker_id)
    for statement in ("take_over_dead_runs", "take_over_cancelled_runs", "take_over_runs"):
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


def _ids(connection: Connection, statement: str, *parameters: str) -> list[RunId]:
    return [run_id for (run_id,) in connection.rows(statement, parameters)]
