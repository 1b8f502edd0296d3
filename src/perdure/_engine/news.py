"""What the parts of one instance tell each other, each without knowing who listens: `parts` connects them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Generic, ParamSpec

from .._core.run import Run
from .._entries import Stored
from ..stores.protocol import ClaimedRun
from ..typing import RunId
from .held_run import HeldRun

P = ParamSpec("P")


class Signal(Generic[P]):
    """One kind of news. To call it tells all who listen, on the caller's thread and in the order of `reach`."""

    __slots__ = ("_heard_by",)

    def __init__(self) -> None:
        self._heard_by: tuple[Callable[P, object], ...] = ()

    def reach(self, *hears: Callable[P, object]) -> None:
        """From now on these are told, too."""
        self._heard_by += hears

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> None:
        for hear in self._heard_by:
            hear(*args, **kwargs)


class News:
    """One signal for each thing that a part of an instance may have to tell others."""

    def __init__(self) -> None:
        self.backlog: Signal[[]] = Signal()
        """Something may be claimable in the database, in a queue that is not known."""
        self.wanted: Signal[[]] = Signal()
        """A slot is free for something that waits in the database: it is time for a claim."""
        self.begins: Signal[[ClaimedRun]] = Signal()
        """A run that was claimed, and is expected, has got its slot: it begins."""
        self.unwanted: Signal[[ClaimedRun]] = Signal()
        """A run that was claimed cannot begin soon: it goes back."""
        self.made: Signal[[HeldRun, Stored]] = Signal()
        """A run that is made here, with these arguments, has its slot and is expected: it begins."""
        self.slot_given: Signal[[HeldRun]] = Signal()
        """A run that waits has no slot, of a queue whose limits hold for all workers: the database is to know."""
        self.look: Signal[[]] = Signal()
        """Something has happened that only the database can tell more of: look now, and not with the next poll."""
        self.said: Signal[[RunId]] = Signal()
        """A run that is executed here has said something to whoever asks: that is committed."""
        self.ended: Signal[[RunId]] = Signal()
        """A run that was executed here has ended: that is committed."""
        self.due: Signal[[float]] = Signal()
        """Something is claimable from this time on (seconds since the epoch)."""
        self.look_at: Signal[[float]] = Signal()
        """There may be something to see then (seconds since the epoch): look, and claim only what is seen."""
        self.scheduled: Signal[[]] = Signal()
        """The time of a schedule has come."""
        self.unknown: Signal[[]] = Signal()
        """The outcome of a statement is not known: the database may hold for us what we do not know."""
        self.fenced: Signal[[]] = Signal()
        """This worker has lost its right to write. Told within the journal's turn."""
        self.right_lost: Signal[[str]] = Signal()
        """The same, as a heartbeat or a claim has found it of this worker id."""
        self.dead: Signal[[Collection[str]]] = Signal()
        """The locks of these workers were seen to be free: they are dead."""
        self.lost: Signal[[Run, BaseException]] = Signal()
        """The run's lane has failed: nothing more of it can be written under this claim."""
