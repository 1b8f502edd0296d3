"""A batch of entries: written set-wise, one statement per kind, and judged as a whole if every row was new.

If fewer rows changed than were sent, nothing of that attempt is kept: `verdicts` finds out, entry by entry and without
writing, which are new, and only those are written. On neither way does the number of statements depend on theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from ..._entries import (
    Accepted,
    Entry,
    RunCreated,
    RunFinished,
    RunParked,
    RunReleased,
    StepRecorded,
    Verdict,
)
from ...errors import StoreRefusedError
from ...typing import RunId, RunState
from ..lives import Life, lives_in
from .connections import Connection
from .rows import recorded_alone, section, texts
from .verdicts import judge

_ACCEPTED = Accepted()


class Batch:
    """Entries of one worker, by kind, in the order in which kinds are applied."""

    def __init__(self, worker_id: str, entries: Sequence[Entry]) -> None:
        self.worker_id = worker_id
        self.created: list[RunCreated] = []
        self.recorded: list[StepRecorded] = []
        self.finished: list[RunFinished] = []
        self.parked: list[RunParked] = []
        self.released: list[RunReleased] = []
        self.states: dict[RunId, RunState] = {}
        """How the runs ended whose claims ended here."""
        for entry in entries:
            if isinstance(entry, StepRecorded):
                self.recorded.append(entry)
            elif isinstance(entry, RunCreated):
                self.created.append(entry)
            elif isinstance(entry, RunFinished):
                self.finished.append(entry)
            elif isinstance(entry, RunParked):
                self.parked.append(entry)
            else:
                self.released.append(entry)
        self.lives = lives_in(self.created, self.recorded, self.finished) if self.created and self.finished else {}
        if self.lives:
            self.created = [entry for entry in self.created if entry.held_as not in self.lives]
            self.finished = [entry for entry in self.finished if entry.claim not in self.lives]

    def write(self, connection: Connection) -> bool:
        """Write all entries; False, at the first kind where it shows, if one of them was not new: a checkpoint that is
        there already raises `StoreRefusedError`, as one that cannot be stored does.
        """
        return (
            (not self.created or self._create(connection))
            and (not self.lives or self._create_lived(connection))
            and (not self.recorded or _record(connection, self.worker_id, self.recorded))
            and (not self.finished or self._finish(connection))
            and (not self.parked or self._park(connection))
            and (not self.released or self._release(connection))
        )

    def _create(self, connection: Connection) -> bool:
        if not self._may_create(connection):
            return False
        made = section(self.created)
        if connection.change("create_runs", [made, self.worker_id]) != len(self.created):
            return False
        connection.change("write_inputs", [made])
        return True

    def _create_lived(self, connection: Connection) -> bool:
        lives = list(self.lives.values())
        made = section(lives)
        if connection.change("create_lived_runs", [made]) != len(lives):
            return False
        connection.change("write_inputs", [made])
        self._write_outputs(connection, lives)
        self.states.update((life.run_id, life.state) for life in lives)
        return True

    def _may_create(self, connection: Connection) -> bool:
        """Rule 2: whoever makes a run inside another holds that one, or takes it in this very batch."""
        needed = {e.claim for e in self.created if e.claim is not None}
        needed.difference_update([e.held_as for e in self.created])
        if not needed:
            return True
        return len(connection.query("held_claims", [texts(needed), self.worker_id])) == len(needed)

    def _finish(self, connection: Connection) -> bool:
        """Rule 8: the statement says how the runs have ended, since an acknowledged cancel decides."""
        states: dict[RunId, RunState]
        states = dict(connection.query("finish_runs", [section(self.finished), self.worker_id]))
        if len(states) != len(self.finished):
            return False
        self._write_outputs(connection, [e for e in self.finished if states[e.run_id] != "cancelled"])
        end_cancelled(connection, [run_id for run_id, state in states.items() if state == "cancelled"])
        self.states.update(states)
        return True

    @staticmethod
    def _write_outputs(connection: Connection, ended: Sequence[RunFinished | Life]) -> None:
        if outputs := [e for e in ended if e.output is not None]:
            connection.change("write_outputs", [section(outputs)])

    def _park(self, connection: Connection) -> bool:
        made = connection.change("park_runs", [section(self.parked), self.worker_id])
        self.states.update((e.run_id, "parked") for e in self.parked)
        return made == len(self.parked)

    def _release(self, connection: Connection) -> bool:
        made = connection.change("release_runs", [section(self.released), self.worker_id])
        if made != len(self.released):
            return False
        self.states.update((e.run_id, "ready") for e in self.released)
        if charged := [e for e in self.released if e.charged]:
            connection.change("bury_released_runs", [section(charged)])
            found = connection.query("run_traces", [texts(e.run_id for e in charged)])
            self.states.update((run_id, state) for run_id, _, _, state, *_ in found)
        return True


def apply_batch(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
    """The verdicts on the entries, in their order. Inside a write transaction, after the fence."""
    batch = Batch(worker_id, entries)
    with suppress(StoreRefusedError):  # the other way tells which, and whether it is there already
        if batch.write(connection):
            return [_verdict(entry, batch) for entry in entries]
    connection.undo()
    return _apply_what_is_new(connection, worker_id, entries)


def record_alone(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> list[Verdict] | None:
    """The verdicts on a batch of nothing but steps, in one statement that is its own transaction; None, and nothing is
    written, where there is something else or not all are new.
    """
    recorded = [entry for entry in entries if isinstance(entry, StepRecorded)]
    if len(recorded) != len(entries):
        return None
    with connection.alone(), suppress(StoreRefusedError):
        if len(recorded) == 1:
            made = connection.change("record_lone_checkpoint", recorded_alone(recorded[0], worker_id)) == 1
        else:
            made = _record(connection, worker_id, recorded)
        if made:
            return [_ACCEPTED] * len(entries)
    return None


def _record(connection: Connection, worker_id: str, entries: Sequence[StepRecorded]) -> bool:
    """All of them, or none. Raises `StoreRefusedError` where one is there already, or cannot be stored."""
    return connection.change("record_checkpoints", [section(entries), worker_id]) == len(entries)


def end_cancelled(connection: Connection, run_ids: list[RunId]) -> None:
    """What every end by a cancel does: the children get one too, and the message is done with."""
    if run_ids:
        connection.change("pass_cancel_on", [texts(run_ids)])
        connection.change("consume_cancels", [texts(run_ids)])


def _apply_what_is_new(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
    verdicts = judge(connection, worker_id, entries)
    batch = Batch(worker_id, [entry for entry, verdict in zip(entries, verdicts, strict=True) if verdict is None])
    if not batch.write(connection):
        raise AssertionError("an entry that was judged as new was not: the database let a second writer in")
    return [
        _verdict(entry, batch) if verdict is None else verdict for entry, verdict in zip(entries, verdicts, strict=True)
    ]


def _verdict(entry: Entry, batch: Batch) -> Verdict:
    if isinstance(entry, RunCreated | StepRecorded):
        return _ACCEPTED
    return Accepted(batch.states[entry.run_id])
