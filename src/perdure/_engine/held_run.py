"""A run in memory, as the jobs know it: what the rules know, its lane in the journal, and its host's memory of it."""

from __future__ import annotations

from collections.abc import Sized
from typing import Generic, Protocol, TypeVar

from .._core.run import Run
from .journal.lanes import Lane


class HostState(Protocol):
    """What a host of either world remembers of a run, and others ask or set."""

    uses_slots: bool
    """Whether the run takes a slot of its queue."""
    has_slot: bool
    """Whether it has it now."""
    is_ending: bool
    """Whether it has given its slot away already, and its end is not committed yet."""
    is_handed_in: bool
    """Whether what ends the claim is in the journal: the run leaves by itself when that is committed."""

    @property
    def waits(self) -> Sized | None:
        """What its branches wait for durably, each one thing."""


StateT_co = TypeVar("StateT_co", bound=HostState, covariant=True)


class HostedRun(Run, Generic[StateT_co], eq=False, weakref=True):
    """A run, and what its host's world remembers of it."""

    lane: Lane = None  # type: ignore[assignment]  # from the moment it is made
    state: StateT_co = None  # type: ignore[assignment]  # as its host: from its beginning on


HeldRun = HostedRun[HostState]
"""A run of either world; in one of them it is a `ThreadRun` or a `LoopRun`."""


def held(run: Run) -> HeldRun:
    """The same run, which the rules know no better: every run in memory is one."""
    assert isinstance(run, HostedRun)
    return run
