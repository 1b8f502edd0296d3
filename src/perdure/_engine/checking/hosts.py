"""Hosts that answer a replay from the record, and stop the run where it would do anything that is not recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ..._core.flow import (
    Attempt,
    Begin,
    CloseHook,
    Commit,
    LogTurn,
    NoteRetry,
    OpenHook,
    Pause,
    Record,
    Request,
    Send,
    Settle,
    StartChild,
)
from ..._core.run import Run
from ..._entries import Accepted, Entry, RunParked, Verdict
from ...errors import RunInterrupted
from ...typing import RunId
from ..claiming.claims import Claims
from ..held_run import HeldRun
from ..hosting.asyncio.state import LoopRun
from ..hosting.asyncio.talking_host import TalkingLoopHost
from ..hosting.host import Host, RunT
from ..hosting.threads.host import InlineHost, ThreadHost
from ..hosting.threads.state import ThreadRun

NEW: Final = (
    *(Attempt, Begin, CloseHook, Commit, LogTurn, NoteRetry, OpenHook, Pause, Record, Send, Settle, StartChild),
)
"""What is asked for where something is not recorded: up to there the run has been replayed."""


class Findings:
    """What was found of each run: None, it can go on; or the difference. What is found first counts."""

    def __init__(self) -> None:
        self.of: dict[RunId, str | None] = {}
        self.is_perhaps_load: set[RunId] = set()
        """Runs that differ in what may have come in time and not in order."""

    def note(self, run: Run, difference: str | None) -> None:
        """This was found."""
        self.of.setdefault(run.run_id, difference)


class StopsAtNew(Host[RunT]):
    """The part that both kinds of hosts have."""

    def __init__(self, findings: Findings, *given: Any) -> None:
        super().__init__(*given)
        self.findings = findings

    def answer(self, run: RunT, request: Request) -> Any:
        """From the record; else it is over."""
        if isinstance(request, NEW):
            entry = getattr(request, "entry", None)
            is_refusal = isinstance(entry, RunParked) and entry.is_refused
            self.findings.note(run, entry.reason if isinstance(entry, RunParked) and is_refusal else None)
            self.stop(run)
        return super().answer(run, request)

    def stop(self, run: RunT) -> None:
        """Nothing more is to happen in the run."""
        run.interrupt("lost")  # not released: other branches would still finish what they began, and wait for this one
        self.interrupt(run)
        raise RunInterrupted(f"run {run.run_id} was replayed as far as it has come")

    def park_for_mend(self, run: RunT, reason: str, *, may_be_load: str | None = None) -> None:
        """It differs."""
        if may_be_load is not None:
            self.findings.is_perhaps_load.add(run.run_id)
        self.findings.note(run, reason)


class CheckingThreadHost(StopsAtNew[ThreadRun], ThreadHost):
    """Of sync runs."""


class CheckingInlineHost(StopsAtNew[ThreadRun], InlineHost):
    """Of sync steps in async runs."""


class CheckingLoopHost(StopsAtNew[LoopRun], TalkingLoopHost):
    """Of async runs."""

    def handed_in(self, run: LoopRun) -> None:
        """There is nothing to commit."""


class CheckingClaims(Claims):
    """Ends of claims, of which there are none: that the run waits is as far as it has come."""

    def __init__(self, findings: Findings, **parts: Any) -> None:
        super().__init__(**parts)
        self.findings = findings

    def append(self, run: HeldRun, entry: Entry, then: Callable[[Verdict], None]) -> int:
        is_behind = run.is_behind
        self.findings.note(
            run,
            f"run {run.run_id} of {run.name} does not match its history: the code now waits, and recorded is a call "
            f"{run.missing_key} that it does not come to."
            if is_behind
            else None,
        )
        run.is_let_go = True
        then(Accepted("parked"))
        return run.lane.committed

    def let_go(self, run: HeldRun, *, charged: bool = False, reason: str | None = None) -> None:
        """Nobody holds it here."""
