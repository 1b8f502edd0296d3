"""What the threads of one sync run share. It answers nothing; see `host`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakSet

from ...._core.run import Run
from ...held_run import HostedRun
from ..waits import Waits
from .baton import Baton

_MADE_WHEN_NEEDED: Final[dict[str, Callable[[], Any]]] = {
    "changed": lambda: threading.Condition(threading.RLock()),
    "waits": Waits,
    "turns": list,
    "futures": WeakSet,
    "baton": Baton,
}


class ThreadState:
    """What the threads of one run share. What only few runs need is made when it is needed: there may be thousands."""

    changed: threading.Condition
    """Whoever waits here waits on it, and looks first whether it has to."""
    waits: Waits
    turns: list[tuple[int, float, int, str]]
    futures: WeakSet[Any]
    """Of what its branches execute, by `perdure.threads()`."""
    baton: Baton
    """Which thread runs the run's own code, once there are several."""

    def __init__(self, *, uses_slots: bool) -> None:
        self.uses_slots = self.has_slot = uses_slots
        """Whether the run takes a slot of its queue, and whether it has it now."""
        self.is_ending = False
        """Whether it has given its slot away already, and its end is not committed yet."""
        self.is_handed_in = False
        """Whether what ends the claim is in the journal: the run leaves by itself when that is committed."""
        self.branches = 0
        """Threads that execute the run's code; joined ones wait for others of them."""
        self.joining = 0
        self.is_to_park = False
        """Whether a run of which every branch waits is to leave memory at once."""
        self.timed = 0
        """Waits that will be given up by themselves: a parked run would forget when."""
        self.turn_count = self.catching_up = 0
        """Turns that were asked for, and calls that wait until everything recorded was handed over."""
        self.inside = self.asking = 0
        """Threads that are in a durable call, of a run that answers questions; and who asks it something just now."""
        self.recording: int | None = None
        """The thread that has a new position and has not yet handed it to the journal: until then nobody is served."""

    def __getattr__(self, name: str) -> Any:
        """From any thread: `setdefault` keeps what another one has made meanwhile."""
        if name not in _MADE_WHEN_NEEDED:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return vars(self).setdefault(name, _MADE_WHEN_NEEDED[name]())

    def tell_all(self) -> None:
        """Something has changed: wake whoever waits. Who has not looked yet will see it."""
        if "changed" in vars(self):
            with self.changed:
                self.changed.notify_all()


ThreadRun = HostedRun[ThreadState]
"""A run on threads."""


def thread_state(run: Run) -> ThreadState:
    """What is remembered of a run that is known to be on threads."""
    assert isinstance(run, HostedRun)
    state = run.state
    assert isinstance(state, ThreadState)
    return state
