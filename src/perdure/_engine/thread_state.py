"""What the threads of one sync run share. It answers nothing; see `thread_host`."""

from __future__ import annotations

import threading

from .host import Waits


class ThreadState:
    """What the threads of one run share."""

    def __init__(self, *, uses_slots: bool) -> None:
        self.uses_slots = self.has_slot = uses_slots
        """Whether the run takes a slot of its queue, and whether it has it now."""
        self.is_ending = False
        """Whether it has given its slot away already, and its end is not committed yet."""
        self.is_handed_in = False
        """Whether what ends the claim is in the journal: the run leaves by itself when that is committed."""
        self.changed = threading.Condition(threading.RLock())
        self.waits = Waits()
        self.branches = 0
        """Threads that execute the run's code; joined ones wait for others of them."""
        self.joining = 0
        self.is_to_park = False
        """Whether a run of which every branch waits is to leave memory at once."""
        self.timed = 0
        """Waits that will be given up by themselves: a parked run would forget when."""
        self.turns: list[tuple[int, int, str]] = []
        self.turn_count = 0
        self.reacting: tuple[str, float] | None = None
        """The branch that was handed an outcome last and has not come back yet, and until when that matters."""
        self.recording: int | None = None
        """The thread that has a new position and has not yet handed it to the journal: until then nobody is served."""
