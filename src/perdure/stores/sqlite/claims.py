"""How runs come into a worker's hands, and out of them when it is gone. All but the first inside write transactions."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from operator import itemgetter

from ...typing import RunId
from ..histories import claimed_of, note_told
from ..protocol import Claimed, ClaimRequest, Mail, ToldRun
from .batches import end_cancelled, tell_ends
from .connections import Connection
from .rows import texts, texts_of_names


def take_claimable(connection: Connection, worker_id: str, request: ClaimRequest, claims: Sequence[str]) -> Claimed:
    """The first runs of each queue that are ready, due or have what they waited for; each queue's in a transaction of
    its own, unless one is open.

    Raises `StoreRefusedError` where the worker has no row.
    """
    claimed = Claimed()
    names = texts_of_names(tuple(request.names))
    for queue, slots in request.slots.items():
        resuming = request.resuming.get(queue, ())
        if slots > 0 or resuming:
            drawn = claims[len(claimed.runs) : len(claimed.runs) + slots]
            asked = [worker_id, queue, slots, names, request.last_attempts, texts(drawn), texts(resuming)]
            connection.change("take_runs", asked)
            [(short_by, opens_in, resumed, ended, has_cancelled), *rows] = connection.rows("taken_runs")
            claimed.runs += [claimed_of(claim, row) for _, claim, *row in sorted(rows, key=itemgetter(6, 0))]
            note_told(claimed, queue, resumed, opens_in, ended)
            claimed.has_cancelled |= bool(has_cancelled)
            if short_by is not None:
                claimed.short[queue] = short_by
    return claimed


def put_back_all(connection: Connection, worker_id: str) -> list[RunId]:
    """The runs of a worker whose row was just deleted: cancelled, dead or ready (rules 3, 8 and 11)."""
    held = _ids(connection, "held_runs", worker_id)
    connection.change("return_wakes", [worker_id, ""])
    for statement in ("take_over_dead_runs", "take_over_cancelled_runs", "take_over_runs"):
        connection.change(statement, [worker_id])
    end_cancelled(connection, _ids(connection, "cancelled_among", texts(held)))
    tell_ends(connection, [run_id for run_id, *_ in connection.rows("ended_runs", [texts(held)])])
    return held


def hand_back(connection: Connection, worker_id: str, known: Collection[RunId]) -> list[RunId]:
    """Put back, uncharged, what the worker holds and is not `known`."""
    held = _ids(connection, "held_runs", worker_id)
    connection.change("hand_back_runs", [worker_id, texts(known)])
    return list(set(held).difference(known))


def hear(connection: Connection, worker_id: str, heard: Collection[int]) -> Mail:
    """What this worker is told, after what is told to anybody has found its way (rule 13)."""
    if heard:
        connection.change("forget_heard", [worker_id, json.dumps(list(heard))])
    connection.change("return_wakes", [worker_id, worker_id])
    [(has_read, _)] = connection.query("has_told")
    connection.change("read_wakes")
    [(_, has_cancelled)] = connection.query("has_told")
    rows = connection.rows("told", [worker_id])
    told = [ToldRun(seq, run_id, bool(is_cancelled), bool(is_paused)) for seq, run_id, is_cancelled, is_paused in rows]
    return Mail(told, bool(has_read), bool(has_cancelled))


def sweep(connection: Connection) -> list[RunId]:
    """End what nobody holds and somebody has cancelled, then the children that this cancels, down the tree."""
    ended: list[RunId] = []
    while swept := _ids(connection, "sweepable"):
        connection.change("sweep_cancelled_runs")
        end_cancelled(connection, swept)
        tell_ends(connection, swept)
        ended += swept
    return ended


def _ids(connection: Connection, statement: str, *parameters: str) -> list[RunId]:
    return [run_id for (run_id,) in connection.rows(statement, parameters)]
