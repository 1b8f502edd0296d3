"""What the tasks of one async run share on their loop. It answers nothing; see `host`."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec import Struct

from ...._core.flow import DurableWait
from ...._core.lineage import Branch
from ...._core.run import Run
from ....errors import RunInterrupted
from ...held_run import HostedRun
from ..waits import Waits
from .gate import Gate
from .leader import LoopLeader


class LoopWaits(Waits):
    """The waits of an async run, and the futures that a parked run would wake for: the end of a run, a time."""

    __slots__ = ("futures",)

    def __init__(self) -> None:
        super().__init__()
        self.futures: set[asyncio.Future[Any]] = set()

    def begin(self, request: DurableWait, future: asyncio.Future[Any]) -> None:
        """A branch waits for this, by that future."""
        self[request] = None
        self.futures.add(future)

    def end(self, request: DurableWait, future: asyncio.Future[Any]) -> None:
        """It does no more."""
        del self[request]
        self.futures.discard(future)


class LoopState(Struct, eq=False):
    """What the tasks of one run share. What only few runs need is made when it is needed: there may be thousands."""

    loop: asyncio.AbstractEventLoop
    leader: LoopLeader
    """What commits on this loop."""
    uses_slots: bool
    """Whether the run takes a slot of its queue."""
    has_slot: bool
    """Whether it has it now."""
    is_ending: bool = False
    """Whether it has given its slot away already, and its end is not committed yet."""
    is_handed_in: bool = False
    """Whether what ends the claim is in the journal: the run leaves by itself when that is committed."""
    tasks: set[asyncio.Task[Any]] = set()
    has_waited: bool = False
    """Whether the call that comes to its turn has gone through the loop, to have what it follows committed."""
    gate: Gate | None = None
    """The gate of the run's deliveries; None before the first."""
    waits: LoopWaits | None = None
    """What its branches wait for durably; None before the first time."""
    futures: set[asyncio.Future[Any]] = set()
    """What the run's tasks wait for in this host; `RunInterrupted` goes to all of them at once."""
    bodies: int = 0
    """How many bodies of its steps are under way."""
    last_body: asyncio.Future[None] | None = None
    """Done when none is any more; of a run that is let go of meanwhile."""
    root: asyncio.Task[Any] | None = None
    branch: Branch | None = None
    """The root's, while it executes the run's function."""
    has_begun: bool = False
    """Whether the root task has come to its first line."""
    is_to_look: bool = False
    """Whether a look is under way, at the end of this turn of the loop, whether the run may be parked."""
    looked_soon_at: float = 0.0
    """When it was last looked for those that had just begun to wait, by the loop's clock."""
    looked_at: float = 0.0
    """When it was last looked whether the run has waited for long enough, by the loop's clock."""
    __repr__ = object.__repr__

    def close_gate(self) -> None:
        """Nothing is handed over any more. It knows its run: who keeps it keeps that in memory."""
        if self.gate is not None:
            self.gate.stop()
            self.gate = None

    def durable_waits(self) -> LoopWaits:
        """What the run's branches wait for durably, to be added to."""
        if self.waits is None:
            self.waits = LoopWaits()
        return self.waits

    def answers(self) -> set[asyncio.Future[Any]]:
        """What the run's tasks wait for in this host, but for what they wait for durably."""
        return self.futures if self.waits is None else self.futures - self.waits.futures

    def own_tasks(self) -> set[asyncio.Task[Any]]:
        """Those that execute the run's code; of a step by itself that is the first one."""
        return self.tasks if self.tasks or self.root is None else {self.root}

    def interrupt(self, error: RunInterrupted) -> None:
        """Whatever the run's tasks wait for here gets this error."""
        self.close_gate()
        for future in list(self.futures):
            if not future.done():
                future.set_exception(error)

    @property
    def is_closing(self) -> bool:
        """Whether the run's loop comes to its end."""
        return self.leader.guard.is_cancelled


LoopRun = HostedRun[LoopState]
"""A run on an event loop."""


def loop_state(run: Run) -> LoopState:
    """What is remembered of a run that is known to be on an event loop."""
    assert isinstance(run, HostedRun)
    state = run.state
    assert isinstance(state, LoopState)
    return state
