"""What the tasks of one async run share on their loop. It answers nothing; see `loop_host`."""

from __future__ import annotations

import asyncio
from typing import Any

from .._core.run import Run
from .gate import Gate
from .host import Waits
from .loop_ends import guard, is_cancelled
from .loop_leader import LoopLeader


class LoopState:
    """What the tasks of one run share."""

    def __init__(self, run: Run, loop: asyncio.AbstractEventLoop, leader: LoopLeader, *, uses_slots: bool) -> None:
        self.loop = loop
        self.leader = leader
        """What commits on this loop."""
        self.uses_slots = self.has_slot = uses_slots
        """Whether the run takes a slot of its queue, and whether it has it now."""
        self.is_handed_in = False
        """Whether what ends the claim is in the journal: the run leaves by itself when that is committed."""
        self.guard = guard(loop)
        self.tasks: set[asyncio.Task[Any]] = set()
        self.gate = Gate(run, loop, self.tasks)
        self.waits = Waits()
        self.futures: set[asyncio.Future[Any]] = set()
        """What the run's tasks wait for in this host; `RunInterrupted` goes to all of them at once."""
        self.durable: set[asyncio.Future[Any]] = set()
        """Those of them that a parked run would wake for: the end of a run, a time."""
        self.root: asyncio.Task[Any] | None = None
        self.has_begun = False
        """Whether the root task has come to its first line."""
        self.is_to_look = False
        """Whether a look is under way, at the end of this turn of the loop, whether the run may be parked."""
        self.looked_at = 0.0
        """When it was last looked whether the run has waited for long enough, by the loop's clock."""

    @property
    def is_closing(self) -> bool:
        """Whether the run's loop comes to its end."""
        return is_cancelled(self.guard)
