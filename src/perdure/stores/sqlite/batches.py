"""A batch of entries: written set-wise, one statement per kind, and judged as a whole if every row was new.

If fewer rows changed than were sent, nothing of that attempt is kept: `verdicts` finds out, entry by entry and without
writing, which are new, and only those are written. On neither way does the number of statements depend on theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

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
from ...typing import RunId, RunState
from ..lives import lives_in
from . import rows
from .connections import Connection
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
        """Write all entries; False, at the first kind where it shows, if one of them was not new."""
        return (
            (not self.created or self._create(connection))
            and (not self.lives or self._create_lived(connection))
            and (not self.recorded or self._record(connection))
            and (not self.finished or self._finish(connection))
            and (not self.parked or self._park(connection))
            and (not self.released or self._release(connection))
        )

    def _create(self, connection: Connection) -> bool:
        if not self._may_create(connection):
            return False
        made = connection.change_many("create_runs", [rows.created(e, self.worker_id) for e in self.created])
        if made != len(self.created):
            return False
        connection.change_many("write_inputs", [rows.input_of(e) for e in self.created])
        return True

    def _create_lived(self, connection: Connection) -> bool:
        lives = self.lives.values()
        if connection.change_many("create_lived_runs", [rows.lived(e, end) for e, end in lives]) != len(lives):
            return False
        connection.change_many("write_inputs", [rows.input_of(e) for e, _ in lives])
        if outputs := [rows.output_of(end, end.output) for _, end in lives if end.output]:
            connection.change_many("write_outputs", outputs)
        self.states.update((end.run_id, end.state) for _, end in lives)
        return True

    def _may_create(self, connection: Connection) -> bool:
        """Rule 2: whoever makes a run inside another holds that one, or takes it in this very batch."""
        needed = {e.claim for e in self.created if e.claim is not None}
        needed.difference_update([e.held_as for e in self.created])
        if not needed:
            return True
        return len(connection.query("held_claims", [rows.texts(needed), self.worker_id])) == len(needed)

    def _record(self, connection: Connection) -> bool:
        """Rule 2: of runs that are held. That is looked up, but where this batch begins or ends the claim: its other
        statements say so then, and it fails as a whole.
        """
        ended: list[RunFinished | RunParked | RunReleased] = [*self.finished, *self.parked, *self.released]
        held = {e.run_id: e.held_as for e in self.created} | {e.run_id: e.claim for e in ended}
        if asked := {e.run_id for e in self.recorded}.difference(held):
            held.update(connection.query("held_runs", [rows.texts(asked), self.worker_id]))
        if any(held.get(e.run_id) != e.claim for e in self.recorded):
            return False
        made = connection.change_many("record_checkpoints", [rows.recorded(e) for e in self.recorded])
        return made == len(self.recorded)

    def _finish(self, connection: Connection) -> bool:
        """Rule 8: an acknowledged cancel decides. Nobody can cancel between the question and the update: one writer."""
        asked = {run_id for (run_id,) in connection.query("cancelled_among", [self._finished_ids()])}
        states: list[tuple[RunFinished, RunState]]
        states = [(e, "cancelled" if e.run_id in asked else e.state) for e in self.finished]
        made = connection.change_many("finish_runs", [rows.finished(e, state, self.worker_id) for e, state in states])
        if made != len(self.finished):
            return False
        if outputs := [rows.output_of(e, e.output) for e, state in states if e.output and state != "cancelled"]:
            connection.change_many("write_outputs", outputs)
        end_cancelled(connection, [e.run_id for e, state in states if state == "cancelled"])
        self.states.update((e.run_id, state) for e, state in states)
        return True

    def _park(self, connection: Connection) -> bool:
        made = connection.change_many("park_runs", [rows.parked(e, self.worker_id) for e in self.parked])
        self.states.update((e.run_id, "parked") for e in self.parked)
        return made == len(self.parked)

    def _release(self, connection: Connection) -> bool:
        made = connection.change_many("release_runs", [rows.released(e, self.worker_id) for e in self.released])
        if made != len(self.released):
            return False
        self.states.update((e.run_id, "ready") for e in self.released)
        if charged := [e for e in self.released if e.charged]:
            connection.change_many("bury_released_runs", [(e.run_id, e.claim) for e in charged])
            found = connection.query("run_traces", [rows.texts(e.run_id for e in charged)])
            self.states.update((run_id, state) for run_id, _, _, state, *_ in found)
        return True

    def _finished_ids(self) -> str:
        return rows.texts(e.run_id for e in self.finished)


def apply_batch(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
    """The verdicts on the entries, in their order. Inside a write transaction, after the fence."""
    batch = Batch(worker_id, entries)
    if batch.write(connection):
        return [_verdict(entry, batch) for entry in entries]
    connection.undo()
    return _apply_what_is_new(connection, worker_id, entries)


def record_alone(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> list[Verdict] | None:
    """The verdict on a step that is a batch by itself; None, and nothing is written, where it is none or not new."""
    if len(entries) != 1 or not isinstance(entries[0], StepRecorded):
        return None
    with connection.alone():
        made = connection.change("record_lone_checkpoint", rows.recorded_alone(entries[0], worker_id))
    return [_ACCEPTED] if made else None


def end_cancelled(connection: Connection, run_ids: list[RunId]) -> None:
    """What every end by a cancel does: the children get one too, and the message is done with."""
    if run_ids:
        connection.change("pass_cancel_on", [rows.texts(run_ids)])
        connection.change("consume_cancels", [rows.texts(run_ids)])


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
