"""An attempt whose body has a process of its own: a thread of the run starts it, waits, and kills it where it must."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from ...._core.flow import Outcome
from ...._core.interruption import CANCELS_TASKS
from ...._core.lineage import StepScope
from ...._core.names import module_name
from ...._core.own_process import OwnProcess
from ...._core.purity import check_may_act
from ...._core.step_call import StepCall
from ....errors import PerdureError, RunInterrupted, StepCrashedError, StepTimeoutError, UsageError
from ...watching.reports import report_of
from ...watching.saving import save_now
from ..threads.leaving import check_program_goes_on
from ..threads.state import ThreadRun
from .messages import TRANSIT, Began, Ended, FromChild, Kept, Logged, NotBegun, Progressed, Request, Saves, stored
from .processes import PROCESSES, BodyProcess

START_SECONDS: Final = 300.0
"""Longer than any program takes to be imported."""


End = Ended | NotBegun | int | OSError


class AttemptThere:
    """One body, from being handed over to its end. Told by its process's thread."""

    def __init__(self, run: ThreadRun, inside: StepScope) -> None:
        self._run = run
        self._inside = inside
        self.began_at: float | None = None
        """By the monotonic clock."""
        self.ended: End | None = None
        """What was said at last; or the exit code of a process that could not say anything, or why there is none."""

    def heard(self, process: BodyProcess, message: FromChild) -> None:
        """See `Body`."""
        match message:
            case Ended() | NotBegun():
                self._tell(message)
            case Began():
                self.began_at = time.monotonic()
                self._run.state.tell_all()
            case Progressed(done, total, note):
                if self._run.may_finish:
                    report = report_of(self._inside)
                    report.done, report.total, report.note = done, total, note
                    if not report.is_new:
                        self._run.host.instance.reports.tell(report)  # type: ignore[attr-defined]  # a runtime
            case Saves(value):
                with suppress(OSError):  # it was killed meanwhile
                    process.say(self._save(value))
            case Logged():
                write_line(message)

    def _save(self, value: str) -> Kept:
        try:
            check_may_act(self._inside, "save()")
            self._run.check_not_over()
            saved, _ = self._run.serializer.accept(TRANSIT.load(stored(value)), what="what the step saves")
            save_now(self._run.host.journal, self._inside, saved)  # type: ignore[attr-defined]  # the engine's
        except (PerdureError, RunInterrupted) as refused:
            return Kept(str(refused), isinstance(refused, RunInterrupted))
        return Kept()

    def process_ended(self, code: int | OSError) -> None:
        """See `Body`."""
        self._tell(code)

    def _tell(self, ended: End) -> None:
        self.ended = ended
        self._run.state.tell_all()


def attempt_isolated(run: ThreadRun, call: StepCall, inside: StepScope, where: OwnProcess) -> Outcome:
    """Have the body run and wait. Whatever ends the wait before the body has ended, ends the body, and all that it has
    started, before this returns: nothing of it goes on beside what follows.
    """
    request = request_of(run, call, inside, where)
    while True:
        try:
            process = PROCESSES.take(request.module)
        except RuntimeError as error:
            check_program_goes_on(run, error)
            raise
        was_kept, there = process.is_kept, AttemptThere(run, inside)
        if not process.begin(request, there):
            continue
        try:
            await_body(run, there, call.definition.timeout)
        finally:
            ended = there.ended
            if isinstance(ended, Ended | NotBegun):
                PROCESSES.give_back(process)
            else:
                process.kill()
        if isinstance(ended, int) and there.began_at is None and was_kept and run.may_finish:
            continue  # it had waited for long enough, and ended just then
        return outcome_of(run, call, ended, has_begun=there.began_at is not None)


def request_of(run: ThreadRun, call: StepCall, inside: StepScope, where: OwnProcess) -> Request:
    """What is sent. Raises `SerializationError` for arguments that cannot travel."""
    definition = call.definition
    module, qualname = definition.found_as
    module = module_name(module)
    arguments, _, _ = TRANSIT.accept_arguments(call.args, call.kwargs, what=definition.what)
    saved = run.saves.get(call.key)
    return Request(
        module,
        qualname,
        definition.name if definition.is_found_decorated else "",
        arguments.text,
        inside.idempotency_key,
        {"run_id": run.run_id, "workflow": run.name, "step": definition.name, "attempt": inside.attempt},
        where.memory,
        logging.getLogger().getEffectiveLevel(),
        None if saved is None else TRANSIT.accept(run.serializer.load(saved), what="what was saved")[0].text,
    )


def await_body(run: ThreadRun, there: AttemptThere, timeout: float | None) -> None:
    """Wait until it has ended, or is late, or its outcome could not be recorded any more."""
    changed: threading.Condition = run.state.changed
    handed_over_at = time.monotonic()
    with changed:
        while there.ended is None and run.may_finish and run.interruption not in CANCELS_TASKS:
            began_at = there.began_at
            until = handed_over_at + START_SECONDS if began_at is None else began_at + (timeout or float("inf"))
            left = until - time.monotonic()
            if left <= 0:
                return
            changed.wait(min(left, threading.TIMEOUT_MAX))


def outcome_of(run: ThreadRun, call: StepCall, ended: End | None, *, has_begun: bool) -> Outcome:
    """What became of the body, as the step's outcome."""
    definition = call.definition
    if isinstance(ended, Ended):
        told = stored(ended.value)
        return Outcome(error=TRANSIT.load_error(told)) if ended.is_error else Outcome(TRANSIT.load(told))
    if isinstance(ended, NotBegun):
        return Outcome(error=UsageError(f"step {definition.name} of run {run.run_id} cannot run: {ended.reason}"))
    if run.interruption in CANCELS_TASKS or not run.may_finish:
        run.check_alive()
    if isinstance(ended, OSError):
        return Outcome(error=ended)
    if not has_begun and ended is None:
        what = f"was not ready after {START_SECONDS:.0f} seconds: see what the module does when it is imported"
    elif ended is None:
        text = f"step {definition.name} took longer than {definition.timeout} seconds, and its process was ended"
        return Outcome(error=StepTimeoutError(text))
    else:
        what = f"{told_exit(ended)} {'in its body' if has_begun else 'before its body began'}"
    error = StepCrashedError(f"the process of step {definition.name} of run {run.run_id} {what}", exit_code=ended)
    return Outcome(error=error, is_cut_off=has_begun)


_HINTS: Final[Mapping[int, str]] = {
    signal.SIGKILL: ", perhaps since the machine had no memory left",
    signal.SIGSEGV: ", by native code",
    signal.SIGABRT: ", by native code",
}


def told_exit(code: int) -> str:
    """In words how a process ended."""
    if code >= 0:
        return f"ended itself with exit code {code} (os._exit, or native code)"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = "a signal"
    return f"was ended by {name} (signal {-code}{_HINTS.get(-code, '')})"


def write_line(line: Logged) -> None:
    """A line that the body has logged, to the handlers of this program."""
    logger = logging.getLogger(line.name)
    if not logger.isEnabledFor(line.level):
        return
    file, number, function = line.where
    text = line.text
    record = logging.LogRecord(line.name, line.level, file, number, text, None, None, function)
    attributes: dict[str, Any] = {"created": line.at, "msecs": line.at % 1 * 1000, "exc_text": line.traceback}
    record.__dict__.update(attributes, **line.place)
    logger.handle(record)
