"""Children: start a run from inside a run, and wait for a run's end.

Which run a call has started, or found, is a checkpoint of kind `child`, that the creation itself writes: on replay the
parent finds its children, and a child's end is its row's own state. A run that was forked, or started anew, has the
calls that it keeps, and no others, whatever rows name it as their parent.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any, Final

from ..._entries import NO_FINGERPRINT, EndedRun, Existed, Joined, Refused, RunCreated, StepRecorded, Stored, Verdict
from ...errors import (
    DuplicateRunError,
    PerdureError,
    RunCancelledError,
    RunDeadError,
    RunExistsError,
    RunStuckError,
    RunTimeoutError,
    SerializationError,
)
from ...typing import OVERDUE, RunId
from ..carried import CarriedStopError
from ..definitions import DEFINITIONS
from ..flow import AwaitEnd, CallCancelled, Compute, Flow, Outcome, Record, StartChild, StayOpen
from ..run import Run
from ..serialization import LONG_TEXT, Serializer, is_as_before
from .turn import catch_up, log_cancel, log_turn

_HAS_TIME = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[78]").match
"""Whether an id begins with the time at which it, or the run at the root of its family, was made."""
VARIANTS: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
"""The digit of a UUID that says how it is made up, in the place of any other one."""


def child_id(run_id: RunId, key: str, incarnation: int = 0) -> RunId:
    """The id of the child that this call makes: the same at every replay, and nobody else's. A run that was started
    anew makes others: those of its former life are none of its own.

    It begins as its parent's does, with a quarter of a second: a family lies together in the database's indexes.
    """
    begin, undigested = _of_parent(run_id, incarnation)
    digest = undigested.copy()
    digest.update(key.encode())
    text = digest.hexdigest()
    begin = begin or f"{text[:8]}-{text[8:10]}"
    # A UUID of version 8: its bits mean what we say.
    return f"{begin}{text[10:12]}-8{text[13:16]}-{VARIANTS[text[16]]}{text[17:20]}-{text[20:]}"


@lru_cache(maxsize=16)
def _of_parent(run_id: RunId, incarnation: int) -> tuple[str, blake2b]:
    """What the ids of all its children begin with, and what they are digested with."""
    life = f"{run_id}\x1f{incarnation}\x1f" if incarnation else f"{run_id}\x1f"
    undigested = blake2b(life.encode(), digest_size=16, person=b"perdure-child")
    return run_id[:11] if _HAS_TIME(run_id) else "", undigested


def start_child(run: Run, entry: RunCreated, *, is_named: bool = False, is_instant: bool = False) -> Flow[RunId]:
    """Make the child unless it is there. Waits for nothing, as the journal keeps the order, unless `is_named`, the
    caller chose the id: then the answer is that of the database. Where that is not to be `is_instant`, other branches
    go on meanwhile and it takes its turn.
    """
    run.check_alive()
    key = entry.parent_key
    assert key is not None
    recorded = run.take_child(key, entry.name, entry.fingerprint, entry.input)
    takes_turn, run_id = is_named and not is_instant, entry.run_id
    try:
        if takes_turn and run.order.was_cancelled(key):
            yield StayOpen(key)
        if recorded is None:
            if run.is_behind:
                yield from catch_up(run, key, f"a child run of {entry.name}", is_instant=is_instant)
            if is_named:
                run_id = yield from create_child(run, entry)
            else:
                yield StartChild(entry)
        if takes_turn:
            yield from log_turn(run, key)
    except CallCancelled:
        if takes_turn:
            yield from log_cancel(run, key)
        raise
    return run_id if recorded is None else recorded.run_id


def create_child(run: Run, entry: RunCreated) -> Flow[RunId]:
    """Make a run under an id of the caller's; the run's id; raises `RunExistsError` where another one has it. That one
    was found is recorded, as what is made is by its creation.
    """
    verdict: Verdict = yield StartChild(entry, waits=True)
    run.check_alive()
    run_id = check_created(entry, verdict)
    if isinstance(verdict, Existed):
        yield Record(call_recorded(run, entry, run_id))
    return run_id


def call_recorded(run: Run, entry: RunCreated, run_id: RunId) -> StepRecorded:
    """The checkpoint of a call that found a run of somebody else's."""
    assert entry.parent_key is not None
    return StepRecorded(
        run.run_id,
        run.claim,
        run.next_entry_id(),
        entry.parent_key,
        "child",
        entry.name,
        entry.fingerprint,
        False,
        Stored("json", json.dumps(run_id)),
        attempts=0,  # found, not made: by this it is known that the run is needed
    )


def check_created(entry: RunCreated, verdict: Verdict, *, shares: bool = False) -> RunId:
    """The run that was made, or the same one that was there already; else the error that says what it is not. `shares`:
    one that has its key stands for it.
    """
    if isinstance(verdict, Joined):
        return verdict.run_id
    if isinstance(verdict, Existed) and verdict.run_id != entry.run_id:
        return check_holder(entry, verdict.run_id, verdict.name, shares=shares)
    if isinstance(verdict, Refused):
        raise PerdureError(f"{entry.kind} {entry.name} was not started: {verdict.reason}")
    if isinstance(verdict, Existed) and verdict.name != entry.name:
        raise RunExistsError(
            f"run {entry.run_id} exists and is of {verdict.name}, not of {entry.name}: choose another id",
            run_id=entry.run_id,
        )
    if isinstance(verdict, Existed) and not _is_same_work(entry, verdict):
        raise RunExistsError(
            f"run {entry.run_id} of {entry.name} exists with other arguments: the same id means the same work; "
            "choose another id for other work",
            run_id=entry.run_id,
        )
    return verdict.run_id if isinstance(verdict, Existed) else entry.run_id


def _is_same_work(entry: RunCreated, existed: Existed) -> bool:
    """Whether the run that is there has these arguments."""
    if existed.fingerprint in (entry.fingerprint, NO_FINGERPRINT):
        return True
    return is_as_before(DEFINITIONS.types, existed.fingerprint, None, entry.fingerprint, entry.input)


def check_holder(entry: RunCreated, run_id: RunId, name: str, *, shares: bool) -> RunId:
    """The run that has the key of the one that was to be made, where it may stand for it; else `DuplicateRunError`."""
    if shares and name == entry.name:
        return run_id
    where = f"of queue {entry.queue!r}" if entry.queue else "outside any queue"
    what = f"run {run_id} of {name} has the key {entry.dedup_key!r} {where}"
    mend = "give each function keys of its own" if shares else 'wait for it, or take it: on_duplicate="return_existing"'
    raise DuplicateRunError(f"{entry.kind} {entry.name} was not started: {what}; {mend}", run_id=run_id)


def await_run(run: Run, key: str, run_id: RunId) -> Flow[Any]:
    """Wait for the other run's end: its value, or its error raised."""
    outcome = yield from await_outcome(run, key, run_id)
    if isinstance(outcome.error, StopIteration):
        raise CarriedStopError(outcome.error)
    return unwrap(outcome)


def await_outcome(run: Run, key: str, run_id: RunId) -> Flow[Outcome]:
    """Wait for the other run's end, and tell its error from one of the wait."""
    run.check_alive()
    try:
        if run.order.was_cancelled(key):
            yield StayOpen(key)
        return (yield from hand_over_end(run, key, run_id))
    except CallCancelled:
        yield from log_cancel(run, key)
        raise


def hand_over_end(run: Run, key: str, run_id: RunId) -> Flow[Outcome]:
    """The outcome of the other run, when it has ended and it is this call's turn."""
    ended: EndedRun = yield AwaitEnd(run_id)
    read = partial(outcome_of, run.serializer, ended)
    if ended.output is not None and len(ended.output.text) > LONG_TEXT:
        with suppress(SerializationError):  # read again, it parks the run
            read = partial(_given, (yield Compute(read)))
    yield from log_turn(run, key)
    if ended.state == "failed" and run_id in run.children.unseen:
        run.children.unseen.discard(run_id)
    return run.read(key, read)


def _given(outcome: Outcome) -> Outcome:
    return outcome


def unwrap_end(serializer: Serializer, ended: EndedRun) -> Any:
    """The value of an ended run, or its error raised."""
    return unwrap(outcome_of(serializer, ended))


def unwrap(outcome: Outcome) -> Any:
    """The value, or the error raised."""
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


def outcome_of(serializer: Serializer, ended: EndedRun) -> Outcome:
    """How the run ended. Raises `SerializationError` where that cannot be read."""
    if ended.state == "succeeded" and ended.output is not None:
        try:
            return Outcome(serializer.load(ended.output))
        except SerializationError as unreadable:
            said = f"the result of run {ended.run_id} cannot be read: {unreadable}"
            raise SerializationError(said, path=unreadable.path) from unreadable
    if ended.state == "failed" and ended.output is not None:
        return Outcome(error=serializer.load_error(ended.output))
    if ended.state == "cancelled" and ended.reason == OVERDUE:
        said = f"run {ended.run_id} was not over by its deadline, and ended by it"
        return Outcome(error=RunTimeoutError(said, run_id=ended.run_id))
    if ended.state == "cancelled":
        return Outcome(error=RunCancelledError(f"run {ended.run_id} was cancelled", run_id=ended.run_id))
    if ended.state == "parked":
        reason = ended.reason or "it is not known what for"
        error = RunStuckError(
            f"run {ended.run_id} has not ended and waits for a mend: {reason}", run_id=ended.run_id, reason=reason
        )
        return Outcome(error=error)
    if ended.state != "dead":
        return Outcome(error=PerdureError(f"run {ended.run_id} has not ended: {ended.reason}"))
    return Outcome(error=RunDeadError(f"run {ended.run_id} is dead: {ended.reason}", run_id=ended.run_id))
