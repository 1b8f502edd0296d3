"""A batch of entries: written by one statement that is its own transaction, if every one of them is new.

If one is not, or a cancel has a say, nothing of that attempt is kept: `stores.verdicts` finds out, entry by entry,
which are new, and only those are written. On neither way does the number of statements depend on theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ..._entries import Accepted, Entry, StepRecorded, Verdict
from ...errors import StoreRefusedError
from ...typing import RunId
from ..kinds import Kinds
from ..kinds.kind import Sections
from ..protocol import Fenced
from ..verdicts import apply_what_is_new
from .connections import Connection, Row
from .rows import recorded_alone, section, texts


def check_fence(connection: Connection, worker_id: str) -> None:
    """Raise `Fenced` where the worker has no row."""
    if not connection.query("fence", [worker_id]):
        raise Fenced(f"worker {worker_id} has no row any more")


def apply_whole(connection: Connection, kinds: Kinds, worker_id: str, entries: Sequence[Entry]) -> list[Verdict] | None:
    """The verdicts, in one statement, fence included; None, and nothing is written, where that is not possible."""
    with connection.alone(), suppress(StoreRefusedError):
        if len(entries) == 1 and type(alone := entries[0]) is StepRecorded:
            if connection.change("record_lone_checkpoint", recorded_alone(alone, worker_id)) == 1:
                return [Accepted()]
        elif not kinds.are_open(entries):
            write(connection, worker_id, kinds.sort(entries))
            return kinds.accepted(entries)
    return None


def write(connection: Connection, worker_id: str, sections: Sections) -> None:
    """All of them, behind the fence, or none; an outsider, who has no worker's id, has no fence. Raises
    `StoreRefusedError` where one is not new.
    """
    rows: list[Row] = [("fence", worker_id, None)] if worker_id else []
    rows += [(kind, worker_id, section(entries)) for kind, entries in sections.items()]
    connection.insert("write_sections", rows)


def apply_in_order(connection: Connection, kinds: Kinds, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
    """The verdicts on the entries, in their order. Inside a write transaction, after the fence."""

    def ask(name: str, /, **parameters: object) -> list[Row]:
        return connection.rows(name, connection.arranged(name, parameters))

    return apply_what_is_new(ask, lambda sections: write(connection, worker_id, sections), kinds, worker_id, entries)


def end_cancelled(connection: Connection, run_ids: list[RunId]) -> None:
    """What every end by a cancel does: the children get one too, and the message is done with."""
    if run_ids:
        connection.change("pass_cancel_on", [texts(run_ids)])
        connection.change("consume_cancels", [texts(run_ids)])
        connection.change("note_overdue", [texts(run_ids)])


def tell_ends(connection: Connection, run_ids: list[RunId]) -> None:
    """What every end does that is no entry's: parents and who else waits are told (rule 13)."""
    if run_ids:
        for statement in ("tell_parents", "tell_waiters", "forget_waiters"):
            connection.change(statement, [texts(run_ids)])
