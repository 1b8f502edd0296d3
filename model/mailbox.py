"""Rule 13: the mailbox. A run waits for one thing, parked or in memory; whatever is told to it reaches it.

The thing is a child or another run, and ends in a transaction of worker 1, which may hold the waiting run itself, or of
a stranger. A park, an end, a cancel and a look into the mailbox are transactions whose beginning and commit are two
moves; where there is one writer they do not overlap. A run's row is locked by its park, by a look, by a user's
transaction. A run that has decided to park hears nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move
from .mail import MOST, Mail, readers

STRANGER = 3


class Look(NamedTuple):
    """A look that is under way: how many rows for anybody it has taken, and whether the run's row is locked for it."""

    taken: int
    has_run: bool


class End(NamedTuple):
    """The end of the thing, begun by a worker: whether it found somebody to tell."""

    worker: int
    tells: bool


class Mailbox(NamedTuple):
    """`is_here`: the holder's memory knows the run;
    `knows`: and that the thing has ended; `hears_cancel`: and that it is cancelled. `waits`: the run's wait is noted.
    """

    run: str = "held"
    worker: int = 1
    is_here: bool = True
    knows: bool = False
    hears_cancel: bool = False
    is_cancelled: bool = False
    has_ended: bool = False
    waits: bool = False
    mail: Mail = Mail()
    is_leaving: bool = False
    is_parking: bool = False
    is_locked: bool = False
    end: End | None = None
    look: Look | None = None
    cancelling: int | None = None
    gone: int = 0
    parks: int = 1
    cancels: int = 1
    takeovers: int = 1
    users: int = 1

    def told(self, worker: int, rows: int = 1) -> Mailbox:
        return self._replace(mail=self.mail.told(worker, rows))

    @property
    def is_free(self) -> bool:
        """Whether nobody has the run's row locked."""
        return not (self.is_parking or self.is_locked or (self.look is not None and self.look.has_run))

    @property
    def is_writing(self) -> bool:
        """Whether any transaction is under way."""
        return self.is_parking or self.is_locked or bool(self.end or self.look) or self.cancelling is not None


def model(
    guards: frozenset[str], *, one_writer: bool = False, is_child: bool = True, parks: int = 1, ends: bool = True
) -> Model:
    """One run that waits for its child, or for another run, with these guards. Where it never `ends`, somebody
    cancels.
    """

    def moves(state: Mailbox) -> Iterator[Move]:
        if state.run == "done":
            return
        yield from _ends_of_transactions(guards, state, is_child=is_child)
        if one_writer and state.is_writing:
            return
        yield from _holder(state, is_child=is_child)
        if ends:
            yield from _thing(guards, state, is_child=is_child)
        yield from _readers(guards, state)
        yield from _others(guards, state, ends=ends)

    users = 0 if one_writer else 1
    return Model(Mailbox(users=users, parks=parks), moves, _breach_in, lambda state: state.run == "done")


def _breach_in(state: Mailbox) -> str | None:
    if state.gone and state.mail[state.gone]:
        return "M1 something is told to a worker that has no row any more"
    return None


def _holder(state: Mailbox, *, is_child: bool) -> Iterator[Move]:
    if state.run == "ready" and state.is_free:
        for worker in {1, 2} - {state.gone}:
            held = state._replace(run="held", worker=worker, is_here=False, knows=False)
            yield Move(f"worker {worker} claims the run", held._replace(hears_cancel=state.is_cancelled))
    if state.run != "held":
        return
    if not state.is_here:
        yield Move("the claim is answered, the history read", state._replace(is_here=True, knows=state.has_ended))
    elif state.is_leaving:
        if state.is_free and not _is_ending_here(state):
            yield Move("the park begins", state._replace(is_parking=True, is_leaving=False))
    elif state.is_free and (state.knows or state.hears_cancel):
        yield Move("the run ends", state._replace(run="done"))
    elif not is_child and state.has_ended and not state.is_parking:
        yield Move("the holder asks for the end of the other run", state._replace(knows=True))
    elif state.parks and not state.is_parking:
        yield Move("the run decides to park", state._replace(is_leaving=True, parks=state.parks - 1))


def _is_ending_here(state: Mailbox) -> bool:
    """Whether the holder's journal is busy with the thing's end: one batch at a time."""
    return state.end is not None and state.end.worker == state.worker


def _thing(guards: frozenset[str], state: Mailbox, *, is_child: bool) -> Iterator[Move]:
    if state.has_ended or state.end is not None:
        return
    for worker in {1, STRANGER} - {state.gone}:
        if state.is_parking and state.worker == worker:
            continue
        if not is_child:
            tells = state.waits
        elif "tells_unseen" in guards:
            tells = not (state.run == "held" and state.worker == worker)
        else:
            tells = state.run == "parked"
        yield Move(f"the thing begins to end at worker {worker}", state._replace(end=End(worker, tells)))


def _ends_of_transactions(guards: frozenset[str], state: Mailbox, *, is_child: bool) -> Iterator[Move]:
    if state.is_parking:
        parked = state._replace(run="parked", worker=0, is_here=False, knows=False, hears_cancel=False, waits=True)
        parked = parked.told(0) if "park_tells" in guards else parked
        yield Move("the park is committed", parked._replace(is_parking=False))
    if state.end is not None:
        is_here = state.run == "held" and state.worker == state.end.worker and state.is_here and is_child
        ended = state._replace(has_ended=True, end=None, knows=state.knows or is_here)
        yield Move("the thing has ended", ended.told(0) if state.end.tells else ended)
    if state.is_locked:
        yield Move("the user's transaction is over", state._replace(is_locked=False))
    if state.cancelling is not None:
        cancelled = state._replace(is_cancelled=True, cancelling=None).told(state.cancelling)
        yield Move("the cancel is acknowledged", cancelled)
    if state.look is not None:
        yield Move("the look is committed", _looked(guards, state, state.look, is_child=is_child))


def _looked(guards: frozenset[str], state: Mailbox, look: Look, *, is_child: bool) -> Mailbox:
    after = state._replace(look=None)
    if not look.has_run:
        return after if "locked_keeps" in guards else after.told(0, -look.taken)
    if state.run == "held":
        after = after.told(0, -look.taken)
        return after.told(state.worker) if "goes_on" in guards else after
    if state.is_cancelled:
        return after
    is_ending = not is_child and state.end is not None
    if state.run == "parked" and state.has_ended:
        after = after._replace(run="ready", waits=False)
    elif state.run == "parked" and is_ending and "awaited_is_locked" in guards:
        return after
    return after.told(0, -look.taken)


def _readers(guards: frozenset[str], state: Mailbox) -> Iterator[Move]:
    if state.mail[0] and state.look is None:
        look = Look(state.mail[0], state.is_free)
        yield Move("somebody looks into the mailbox", state._replace(look=look))
    if state.mail[0] and state.is_cancelled and state.run in ("ready", "parked") and state.is_free:
        yield Move("the run is swept", state._replace(run="done"))
    for worker, back in readers(state):
        if back is not None:
            yield back
        elif state.is_cancelled:
            heard = state._replace(hears_cancel=state.is_here or state.hears_cancel)
            acknowledged = heard if "told_again" in guards else heard.told(worker, -MOST)
            yield Move(f"worker {worker} hears of the cancel", acknowledged)
        elif state.is_here:
            heard = state._replace(knows=state.knows or state.has_ended).told(worker, -MOST)
            yield Move(f"worker {worker} hears and looks", heard)


def _others(guards: frozenset[str], state: Mailbox, *, ends: bool) -> Iterator[Move]:
    is_lockable = state.is_free or "cancel_addresses" not in guards
    if state.cancels and state.cancelling is None and is_lockable:
        begun = state._replace(cancels=0, cancelling=state.worker)
        if "cancel_addresses" in guards:  # it has the row locked until its commit: nothing comes in between
            begun = begun._replace(is_cancelled=True, cancelling=None)
            begun = begun.told(state.worker) if "cancel_tells" in guards else begun
        yield Move("a cancel is sent", begun, is_system=not ends)
    if state.users and state.run == "held" and state.is_free:
        yield Move("a user's transaction locks the run", state._replace(users=0, is_locked=True), is_system=False)
    if state.takeovers and not state.is_parking and (state.end is None or state.end.worker != 1):
        is_holder = state.run == "held" and state.worker == 1
        if is_holder and not state.is_free:
            return
        after = state._replace(takeovers=0, gone=1)
        if is_holder:
            put_back = "done" if state.is_cancelled else "ready"
            after = after._replace(run=put_back, worker=0, is_here=False, knows=False, hears_cancel=False)
            after = after._replace(is_leaving=False)
        if "mail_returns" in guards:
            after = after._replace(mail=after.mail.returned(1))
        yield Move("worker 1 is taken over", after, is_system=False)
