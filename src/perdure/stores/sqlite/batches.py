"""A batch of entries: written by one statement that is its own transaction, if every one of them is new.

If one is not, or a cancel has a say, nothing of that attempt is kept: `verdicts` finds out, entry by entry and without
writing, which are new, and only those are written. On neither way does the number of statements depend on theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

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
from ..lives import lives_in
from .connections import Connection, Row
from .rows import recorded_alone, section, texts
from .verdicts import judge

_ACCEPTED = Accepted()


def apply_whole(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> list[Verdict] | None:
    """The verdicts, in one statement, fence included; None, and nothing is written, where that is not possible."""
    if any(_asks_for_more(entry) for entry in entries):
        return None
    with connection.alone(), suppress(StoreRefusedError):
        if len(entries) == 1 and isinstance(alone := entries[0], StepRecorded):
            if connection.change("record_lone_checkpoint", recorded_alone(alone, worker_id)) != 1:
                return None
        else:
            connection.change("write_batch", _sections(worker_id, entries))
        return [_verdict(entry, {}) for entry in entries]
    return None


def _asks_for_more(entry: Entry) -> bool:
    """Whether its end is not that of its run alone."""
    if isinstance(entry, RunFinished):
        return entry.state == "cancelled"
    return isinstance(entry, RunReleased) and entry.charged


def _sections(worker_id: str, entries: Sequence[Entry]) -> Row:
    """For `write_batch`."""
    created: list[RunCreated] = []
    recorded: list[StepRecorded] = []
    finished: list[RunFinished] = []
    parked: list[RunParked] = []
    released: list[RunReleased] = []
    for entry in entries:
        if isinstance(entry, StepRecorded):
            recorded.append(entry)
        elif isinstance(entry, RunCreated):
            created.append(entry)
        elif isinstance(entry, RunFinished):
            finished.append(entry)
        elif isinstance(entry, RunParked):
            parked.append(entry)
        else:
            released.append(entry)
    lives = lives_in(created, recorded, finished) if created and finished else {}
    if lives:
        created = [entry for entry in created if entry.held_as not in lives]
        finished = [entry for entry in finished if entry.claim not in lives]
    creators = {entry.claim for entry in created if entry.claim is not None}
    kinds = (created, list(creators), list(lives.values()), recorded, finished, parked, released)
    return worker_id, *(section(kind) if kind else None for kind in kinds)


def _verdict(entry: Entry, released: Mapping[RunId, RunState]) -> Verdict:
    if isinstance(entry, RunCreated | StepRecorded):
        return _ACCEPTED
    if isinstance(entry, RunFinished):
        return Accepted(entry.state)
    return Accepted("parked" if isinstance(entry, RunParked) else released.get(entry.run_id, "ready"))


def apply_what_is_new(connection: Connection, worker_id: str, entries: Sequence[Entry]) -> list[Verdict]:
    """The verdicts on the entries, in their order. Inside a write transaction, after the fence."""
    entries = _decided_by_cancels(connection, entries)
    verdicts = judge(connection, worker_id, entries)
    new = [entry for entry, verdict in zip(entries, verdicts, strict=True) if verdict is None]
    connection.change("write_batch", _sections(worker_id, new))
    end_cancelled(connection, [e.run_id for e in new if isinstance(e, RunFinished) and e.state == "cancelled"])
    released = _bury(connection, [entry for entry in new if isinstance(entry, RunReleased) and entry.charged])
    return [verdict or _verdict(entry, released) for entry, verdict in zip(entries, verdicts, strict=True)]


def _decided_by_cancels(connection: Connection, entries: Sequence[Entry]) -> list[Entry]:
    """Rule 8: of a run that has a cancel the end is that, whatever it was to be. Under the write lock."""
    ending = [entry.run_id for entry in entries if isinstance(entry, RunFinished)]
    cancelled = {run_id for (run_id,) in connection.rows("cancelled_among", [texts(ending)])} if ending else ()
    return [
        replace(entry, state="cancelled", output=None)
        if isinstance(entry, RunFinished) and entry.run_id in cancelled
        else entry
        for entry in entries
    ]


def end_cancelled(connection: Connection, run_ids: list[RunId]) -> None:
    """What every end by a cancel does: the children get one too, and the message is done with."""
    if run_ids:
        connection.change("pass_cancel_on", [texts(run_ids)])
        connection.change("consume_cancels", [texts(run_ids)])


def _bury(connection: Connection, charged: Sequence[RunReleased]) -> dict[RunId, RunState]:
    """End the released runs that are at their limit; what has become of all of them."""
    if not charged:
        return {}
    connection.change("bury_released_runs", [section(charged)])
    found = connection.rows("run_traces", [texts(entry.run_id for entry in charged)])
    return {run_id: state for run_id, _, _, state, *_ in found}
