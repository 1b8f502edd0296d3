"""Rule 10: who is dead by lease. Two workers renew one after the other's outage, and clocks are set.

Time goes in ticks. A worker that lives renews in every tick in which the database answers; a lease is `LEASE` of them.
The taker judges once in a tick, before or after the victim's renewal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move

LEASE = 3
END = 12


class State(NamedTuple):
    """`changed`: how many ticks ago the victim's row changed. `seen`: for how many the taker has seen that it did not.
    `gap`: how long ago the taker renewed. `shift`: how far the database's clock was set.
    """

    tick: int = 0
    is_alive: bool = True
    is_out: bool = False
    changed: int = 0
    seen: int = 0
    gap: int = 0
    shift: int = 0
    outages: int = 1
    is_taken: bool = False


def model(guards: frozenset[str]) -> Model:
    """A victim that may die, one outage that is shorter than a lease, one clock that is set."""

    def moves(state: State) -> Iterator[Move]:
        if state.is_taken or state.tick == END:
            return
        if state.is_alive:
            yield Move("the victim dies", state._replace(is_alive=False), is_system=False)
        if state.shift == 0:
            yield Move("the clock is set forward", state._replace(shift=LEASE + 1), is_system=False)
        if state.outages and not state.is_out:
            yield Move("the database does not answer", state._replace(is_out=True, outages=0), is_system=False)
        yield from _tick(guards, state)

    def breach_in(state: State) -> str | None:
        return "I15 a healthy worker is taken over" if state.is_taken and state.is_alive else None

    def is_done(state: State) -> bool:
        return state.is_alive or state.is_taken or state.tick == END

    return Model(State(), moves, breach_in, is_done)


def _tick(guards: frozenset[str], state: State) -> Iterator[Move]:
    on = state._replace(tick=state.tick + 1, changed=state.changed + 1, seen=state.seen + 1, gap=state.gap + 1)
    if state.is_out:
        if state.gap < LEASE - 1:
            yield Move("it still does not answer", on)
        yield Move("it answers again, and the victim is not there yet", _taker(guards, on._replace(is_out=False)))
        return
    renewed = on._replace(changed=0) if on.is_alive else on
    yield Move("the victim renews, then the taker looks", _taker(guards, renewed))
    if state.gap <= 1:
        yield Move("the taker looks, then the victim renews", _then_renews(_taker(guards, on)))


def _then_renews(state: State) -> State:
    return state._replace(changed=0) if state.is_alive and not state.is_taken else state


def _taker(guards: frozenset[str], state: State) -> State:
    """It renews, and judges by what it has seen."""
    has_gap = state.gap > 1 and "unbroken" in guards
    seen = 0 if has_gap or state.changed == 0 else min(state.seen, state.changed)
    is_dead = seen > LEASE if "own_clock" in guards else state.changed + state.shift >= LEASE
    return state._replace(seen=seen, gap=0, is_taken=is_dead)
