"""What both hosts answer alike: the parts of a run's life that wait for nothing, and the rules of waiting and parking.

`threads.host` and `asyncio.host` add the waiting, each in its world.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar

from ..._core.flow import (
    Begin,
    Chance,
    Compute,
    GiveBack,
    LogTurn,
    NoteRetry,
    Now,
    OpenHook,
    Outcome,
    Record,
    Request,
    StartChild,
    Write,
)
from ..._core.run import Run
from ..._core.serialization import tamed
from ..._core.serialization.raised import message_of
from ..._entries import (
    Accepted,
    EndedRun,
    Entry,
    EventSet,
    MessageSent,
    RunParked,
    RunReleased,
    StepRecorded,
    UpdateAnswered,
    UpdateRefused,
    Verdict,
    Wait,
)
from ..._streams import StreamRewound, StreamWritten
from ...errors import RunInterrupted
from ...typing import RunId
from ..held_run import HeldRun
from ..journal.lanes import Lane, OnVerdict
from .asyncio.state import loop_state
from .asyncio.tasks import current_task
from .exits import is_own
from .surroundings import Surroundings
from .waits import Waits

RunT = TypeVar("RunT", bound=HeldRun)

log = logging.getLogger("perdure")

ANSWERS = frozenset({UpdateAnswered, UpdateRefused})
"""Entries that somebody waits for outside the run, who calls nobody to commit them."""
SAID = frozenset({EventSet, StreamRewound, *ANSWERS})
"""Entries of what a run says to others: who follows it is told when they are committed."""
TELL_SECONDS = 0.02
"""However often runs say something: so far apart are the looks whether that has made others claimable."""
UNSURE_SECONDS = 0.2
"""A worker that could not renew its lease for its whole length starts no body: how often it looks whether it has."""


class Host(Generic[RunT]):
    """Answers requests by their method's name; see `perdure._core.flow` for what each asks."""

    def __init__(self, around: Surroundings, leave: Callable[[RunT], None]) -> None:
        self.instance = around.instance
        """Whose runs these are; the surface knows what that is."""
        self.options = around.options
        self.journal = around.journal
        self.worker = around.worker
        self.room = around.room
        self.claims = around.claims
        self.told = around.told
        self.starts = around.starts
        self.ends = around.ends
        self.arrivals = around.arrivals
        self.histories = around.histories
        self.ends_ahead = around.ends_ahead
        self.replays = around.replays
        self.threads = around.threads
        self.listeners = around.listeners
        self.news = around.news
        self.leave = leave
        """What ends the run's stay here, once its claim's end is committed."""

    def answer(self, run: RunT, request: Request) -> Any:
        """The answer, or an awaitable of it."""
        return getattr(self, request.method)(run, request)

    def park_for_mend(self, run: RunT, reason: str, *, may_be_load: str | None = None) -> None:
        """See `Host` in `perdure._core.run`."""
        replays = self.replays
        entry: RunParked | RunReleased
        if may_be_load is not None and replays.try_again(run, may_be_load):
            log.warning("%s Perhaps this machine was slow: it is tried again, beside no other replay", may_be_load)
            entry = RunReleased(run.run_id, run.claim)
        else:
            first = replays.first_difference(run.run_id)
            again = f" This was its second try, beside no other replay. The first time: {first}" if first else ""
            entry = RunParked(run.run_id, run.claim, stopped="mend", reason=reason + again, is_refused=True)
        with suppress(RunInterrupted):  # the claim was lost meanwhile: who has it now finds the same
            self.claims.append(run, entry, lambda verdict: self.news.backlog())

    def give_up(self, run: RunT, key: str, may_be_load: bool) -> None:
        """What is to be handed over next was not asked for, and this call waits for it. Every branch is told."""
        asked = f"call {key} first, and that one not at all"
        with suppress(RunInterrupted):
            run.differ(run.missing_key, "an outcome that was handed over next", asked, may_be_load=may_be_load)

    def park_soon(self, run: RunT) -> None:
        """See `Host` in `perdure._core.run`."""
        raise NotImplementedError

    def interrupt(self, run: RunT) -> None:
        """Wake every branch that waits; see `Host` in `perdure._core.run`."""
        raise NotImplementedError

    def child_ended(self, run: RunT, ended: EndedRun) -> None:
        """A run that a branch waits for has ended. Called from any thread."""
        raise NotImplementedError

    def handed_in(self, run: RunT) -> None:
        """An entry of the run waits in the journal, and the caller will not wait for it."""

    def begin(self, run: RunT, request: Begin) -> float:
        return time.time()

    def record(self, run: RunT, request: Record) -> None:
        told: OnVerdict | None = None
        entry, run.has_only_repeated = request.entry, False
        if type(entry) in SAID:
            told = partial(self._said_as, run, entry)
        elif self.listeners.are_any and isinstance(entry, StepRecorded):
            told = partial(self._recorded_as, run, entry)
        self.journal.append(run.lane, entry, told, leads=True)
        if not request.may_wait:
            self.handed_in(run)

    def _recorded_as(self, run: RunT, entry: StepRecorded, verdict: Verdict) -> None:
        if isinstance(verdict, Accepted):
            self.listeners.recorded(run, entry)

    def write(self, run: RunT, request: Write) -> None:
        self.write_chunks(run, request.entry)

    def write_chunks(self, run: HeldRun, entry: StreamWritten) -> None:
        """Add to a stream of the run; from any thread."""
        self.journal.append_chunks(run.lane, entry, partial(self._said_as, run, entry))

    def _said_as(self, run: HeldRun, entry: Entry, verdict: Verdict) -> None:
        if isinstance(verdict, Accepted):
            self.news.said(run.run_id)
            if isinstance(entry, (EventSet, UpdateAnswered)):
                self.listeners.recorded(run, entry)
            if isinstance(entry, EventSet):
                self.news.look_at(time.time() + TELL_SECONDS)  # a parked run may wait for it, and be claimable now

    def give_back(self, run: RunT, request: GiveBack) -> None:
        run.order.give_back(request.position)

    def log_turn(self, run: RunT, request: LogTurn) -> None:
        self.journal.append_turn(run.lane, run, request.position, request.key)

    def start_child(self, run: RunT, request: StartChild) -> Verdict | None:
        if not request.waits:
            self.starts.create(request.entry, run.lane, leads=True)
            self.handed_in(run)
            return None
        verdicts: list[Verdict] = []
        number = self.starts.create(request.entry, run.lane, verdicts.append, leads=True)
        self.journal.wait(run.lane, number)
        return verdicts[0]

    def open_hook(self, run: RunT, request: OpenHook) -> Verdict | None:
        if not request.waits:
            self.journal.append(run.lane, request.entry, leads=True)
            self.handed_in(run)
            return None
        verdicts: list[Verdict] = []
        number = self.journal.append(run.lane, request.entry, verdicts.append, leads=True)
        self.journal.wait(run.lane, number)
        return verdicts[0]

    def append_messages(self, lane: Lane, entries: Sequence[MessageSent], on_verdicts: Callable[[Any], None]) -> int:
        """Hand messages in; their verdicts are told together, when all are there. The last one's number in the lane."""
        verdicts: list[Verdict | None] = [None] * len(entries)
        number = missing = len(entries)

        def note(place: int, entry: MessageSent, verdict: Verdict) -> None:
            nonlocal missing
            verdicts[place] = verdict
            missing -= 1
            self.arrivals.note_sent(entry, verdict)
            if not missing:
                self.told.elsewhere(each.run_id for each in entries)
                on_verdicts(verdicts)

        for place, entry in enumerate(entries):
            number = self.journal.append(lane, entry, partial(note, place, entry), leads=True)
        return number

    def note_retry(self, run: RunT, request: NoteRetry) -> None:
        definition, error = request.call.definition, request.error
        log.warning(
            "attempt %d of %d of step %s of run %s has failed, the next one begins in %.3g s: %s: %s",
            request.failed,
            definition.retry.attempts,
            definition.name,
            run.run_id,
            request.seconds,
            type(error).__name__,
            message_of(error),
        )

    def compute(self, run: RunT, request: Compute) -> Any:
        return request.work()

    def now(self, run: RunT, request: Now) -> float:
        return self.time_in(run)

    @staticmethod
    def time_in(run: Run) -> float:
        """The time, by our clock; no earlier than the database's at the claim and what has passed since: that one says
        what is due, and ours may be behind.
        """
        return max(time.time(), run.clock_origin + time.monotonic())

    def chance(self, run: RunT, request: Chance) -> float:
        return random.random()  # noqa: S311  # spreads retries, keeps no secret

    def park_after(self) -> float:
        """How long a run may wait in memory."""
        return self.options.park_after_seconds

    def seconds_until(self, run: RunT, due_at: float) -> float:
        """How long until that time; 0 or less when it is due."""
        return due_at - self.time_in(run)

    def is_long(self, run: RunT, waits: Waits) -> bool:
        """Whether every branch waits for a time, and the first of them is far enough to leave memory at once."""
        due_at = waits.first_due() if waits.are_for_times else None
        return due_at is not None and self.seconds_until(run, due_at) > self.park_after()

    def parking(self, run: RunT, waits: Waits) -> RunParked:
        """The entry that lets the run leave memory; it wakes by what it waits for. From here on nothing durable
        happens.
        """
        run.interrupt("parked")
        runs = waits.runs()
        foreign = tuple(run_id for run_id in runs if run_id not in run.children)
        # An end that the run was told of and the branch that waits for it was not yet must wake the run.
        seen = run.children.ended.difference(runs)
        children = (Wait("children", seen=len(seen)),) if len(foreign) < len(runs) else ()
        waits_for = (*children, *(Wait("run", run_id) for run_id in foreign), *waits.others())
        return RunParked(run.run_id, run.claim, waits.first_due(), waits_for)


def ended_by(error: BaseException) -> Outcome:
    """The outcome of a body or function that this has ended."""
    error = tamed(error)
    return Outcome(error=error, is_own=isinstance(error, (KeyboardInterrupt, GeneratorExit)) and is_own(error))


def exit_of(run: Run, error: BaseException) -> Outcome:
    """The outcome of a step's body on a loop that ended with what ends the program; raises it where it is to go through
    the run's code. A coroutine that is closed may ask for nothing any more.
    """
    if isinstance(error, GeneratorExit) and not is_own(error):
        raise error
    if run.kind == "step":
        return ended_by(error)
    if not isinstance(error, GeneratorExit):
        spare_loop(run, error)
    raise error


def error_of(run: Run, error: BaseException) -> BaseException:
    """What somebody outside is told of what code has raised that was called for him. What ends the program ends the
    run's claim instead, but neither its thread nor its loop: raises `RunInterrupted`.
    """
    error = tamed(error)
    if isinstance(error, RunInterrupted) or (isinstance(error, GeneratorExit) and not is_own(error)):
        raise error
    if isinstance(error, (KeyboardInterrupt, SystemExit, GeneratorExit)):
        run.exits(error)
        raise interrupted(run) from error
    return error


def spare_loop(run: Run, error: BaseException) -> None:
    """A task that ends with what ends the program would end the loop, and with it every other run there: the run's
    first branch does so for it. Raises `RunInterrupted` in any other one.
    """
    if current_task() is not loop_state(run).root:
        run.exits(error)
        raise interrupted(run) from error


def may_have_ended(run: Run, run_id: RunId) -> bool:
    """Whether to ask the database before waiting. Of its own children a run is told; a run that is parked at once,
    and woken because the other one has ended, must not be parked again before it has heard so.
    """
    return run_id in run.children.ended or run_id not in run.children.open


def interrupted(run: Run) -> RunInterrupted:
    """What a branch gets that was waiting when the run was interrupted."""
    return RunInterrupted(f"run {run.run_id} is {run.interruption}: this process can do nothing more for it")
