"""Runs that are made in a transaction of the caller's own: `with_options(connection=...)`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from .._core.flow import Outcome
from .._core.flows.child import check_created
from .._core.lineage import Branch, scope
from .._engine.door import Door
from .._entries import RunCreated, Verdict
from ..errors import RunNotFoundError, UsageError
from ..typing import RunId
from .handle import Handle
from .options import Submission
from .transacting.driving import adrive, asking, drive
from .transacting.opened import Ask, Joined, Work, joined_of

R = TypeVar("R")

COMPLAINTS: Final = {
    "autocommit": "it is in autocommit mode and in no transaction, so that there is nothing that the run could be a "
    "part of: begin one, or submit without connection=",
    "failed": "its transaction has failed: roll it back, and begin another one",
    "closed": "it is closed",
}


class Enqueued(Handle[R]):
    """The handle of a run that was made in the caller's own transaction. Before that has committed, and for ever if it
    is rolled back, there is no such run: whoever asks for its outcome gets `RunNotFoundError`.
    """

    __slots__ = ("_is_there",)

    def __init__(self, runtime: Door, run_id: RunId) -> None:
        super().__init__(runtime, run_id)
        self._is_there = False

    def _check_there(self) -> None:
        if not self._is_there and self._runtime.store.runs.row(self.run_id) is None:
            raise RunNotFoundError(
                f"there is no run {self.run_id}: the transaction in which it was submitted has not committed yet, or "
                "was rolled back. Ask after the commit",
                run_id=self.run_id,
            )
        self._is_there = True

    def _outcome_outside(self, timeout: float | None) -> Outcome:
        self._check_there()
        return super()._outcome_outside(timeout)

    async def _wait(self) -> R:
        if type(scope.get()) is not Branch:
            await asyncio.to_thread(self._check_there)
        return await super()._wait()

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """As of any future, after the commit."""
        self._check_there()
        super().add_done_callback(fn)


def check_place(submission: Submission) -> None:
    """Raise where a run cannot be made in a transaction: a workflow would make it again at every replay."""
    if submission.connection is not None and type(scope.get()) is Branch:
        raise UsageError(
            "with_options(connection=...) in a workflow: the run would be made again at every replay. Submit it "
            "without connection=, as a child; or in a step, best in one of Transactions, whose connection it takes"
        )


def enqueue(door: Door, entries: Sequence[RunCreated], submission: Submission) -> list[Handle[Any]]:
    """Make the runs in the transaction of the caller's connection."""
    joined = joined_of(submission.connection)
    if joined.is_async:
        raise UsageError("with_options(connection=...): the connection is async: use asubmit, or astart")
    return _accepted(door, joined, entries, submission, drive(_create(door, joined, entries)))


async def aenqueue(door: Door, entries: Sequence[RunCreated], submission: Submission) -> list[Handle[Any]]:
    """The same with an async connection; with a sync one, as the caller does, on the loop's own thread."""
    joined = joined_of(submission.connection)
    return _accepted(door, joined, entries, submission, await adrive(_create(door, joined, entries)))


def _create(door: Door, joined: Joined, entries: Sequence[RunCreated]) -> Work[list[Verdict]]:
    within = door.store.within
    if joined.database != within.database:
        _elsewhere(door)
    yield from _check(joined)
    if not (yield from asking(joined, within.is_here())):
        _elsewhere(door)
    yield from _check(joined)  # some begin with their first question
    return (yield from asking(joined, within.create(entries)))


def _check(joined: Joined) -> Work[None]:
    if (complaint := (yield Ask(joined.complaint))) is not None:
        raise UsageError(f"with_options(connection=...): the connection cannot be used: {COMPLAINTS[complaint]}")


def _elsewhere(door: Door) -> None:
    raise UsageError(
        f"with_options(connection=...): the connection does not reach {door.store!r}, where runs are: a run can only "
        "be part of a transaction in the same database. Submit it in a step of a workflow that is started there"
    )


def _accepted(
    door: Door, joined: Joined, entries: Sequence[RunCreated], submission: Submission, verdicts: Sequence[Verdict]
) -> list[Handle[Any]]:
    joined.after_commit(partial(door.say_ready, [entry.queue for entry in entries]))
    shares = submission.shares_duplicates
    return [
        Enqueued(door, check_created(entry, verdict, shares=shares))
        for entry, verdict in zip(entries, verdicts, strict=True)
    ]
