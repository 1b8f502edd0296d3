"""A run goes on as a new one: under its id, with other arguments and an empty history, in one commit.

All that others know of it stays: its id, its handles, its parent, what was sent to it and not received, what it is
found by, its deadline. What it has recorded is gone, so that a run may go on for ever and no replay of it takes
longer.
"""

from __future__ import annotations

from typing import NoReturn

from ..._entries import RunContinued, Stored
from ..flow import Commit, Flow
from ..run import Run


class ContinuedAsNew(BaseException):
    """Raised where the run's code says so: this life of it is over. Not an `Exception`, so that no code of the run's
    own takes it for one.
    """

    def __init__(self, stored: Stored) -> None:
        super().__init__("the run goes on as a new one")
        self.stored = stored


def out_of_groups(error: BaseException) -> BaseException:
    """That this life is over, without the groups in which task groups have raised it on; any other error as it is."""
    inner = error
    while issubclass(type(inner), BaseExceptionGroup) and len(inner.exceptions) == 1:  # type: ignore[attr-defined]
        inner = inner.exceptions[0]  # type: ignore[attr-defined]
    return inner if issubclass(type(inner), ContinuedAsNew) else error


def leave_life(run: Run, stored: Stored) -> NoReturn:
    """The run's function ends here; the arguments of the next life are stored already."""
    run.check_alive()
    if run.handlers is not None:
        run.handlers.accepts = False
    raise ContinuedAsNew(stored)


def renew(run: Run, stored: Stored) -> Flow[None]:
    """End this life of the run, and begin the next one, which any worker may claim."""
    has_deadline = run.deadline is not None
    yield Commit(RunContinued(run.run_id, run.claim, stored, has_deadline))
