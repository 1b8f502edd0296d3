"""Rule 11: the last attempt is claimed alone, so that only a run that died alone ends as dead.

One process, started again after every death. Some runs kill it as soon as they run; an innocent one ends by itself;
an innocent parent waits for the killers' ends. `waits_parked`: at its last attempt it leaves memory for that (its claim
ends, uncharged); else it stays, held, while others run, and dies with them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move


class Guest(NamedTuple):
    """A run: `killer`, `innocent` or `parent` (of all killers)."""

    kind: str
    state: str = "ready"
    attempts: int = 0
    is_waiting: bool = False


State = tuple[Guest, ...]


def model(guards: frozenset[str], kinds: tuple[str, ...] = ("parent", "killer", "killer"), most: int = 3) -> Model:
    """These runs with so many attempts each."""

    def moves(state: State) -> Iterator[Move]:
        for number, guest in enumerate(state):
            if guest.state == "ready" and _may_claim(guards, state, guest, most):
                yield Move(f"{_name(state, number)} is claimed", _with(state, number, _charged(guest)))
            elif guest.state == "held":
                yield from _execution(guards, state, number, guest, most)
            elif guest.state == "parked" and _killers_have_ended(state, guest):
                yield Move(f"{_name(state, number)} is woken", _with(state, number, guest._replace(state="ready")))

    def breach_in(state: State) -> str | None:
        dead = [_name(state, i) for i, guest in enumerate(state) if guest.state == "dead" and guest.kind != "killer"]
        return f"I14 innocent and dead: {dead[0]}" if dead else None

    first = tuple(Guest(kind) for kind in kinds)
    return Model(first, moves, breach_in, lambda state: all(g.state in ("succeeded", "dead") for g in state))


def _name(state: State, number: int) -> str:
    return f"run {number} ({state[number].kind})"


def _with(state: State, number: int, guest: Guest) -> State:
    return (*state[:number], guest, *state[number + 1 :])


def _charged(guest: Guest) -> Guest:
    return guest._replace(state="held", attempts=guest.attempts + 1, is_waiting=False)


def _may_claim(guards: frozenset[str], state: State, guest: Guest, most: int) -> bool:
    if "last_alone" not in guards:
        return True
    held = [other for other in state if other.state == "held"]
    if guest.attempts >= most - 1:
        return not held
    # Who is alone lets others in when it waits: for those it may wait for.
    return not any(other.attempts >= most and not other.is_waiting for other in held)


def _killers_have_ended(state: State, parent: Guest) -> bool:
    return parent.kind == "parent" and all(g.state == "dead" for g in state if g.kind == "killer")


def _execution(guards: frozenset[str], state: State, number: int, guest: Guest, most: int) -> Iterator[Move]:
    name = _name(state, number)
    if guest.kind == "killer":
        after = tuple(_taken_over(other, most) for other in state)
        yield Move(f"{name} kills the worker, which is taken over", after)
    elif guest.kind == "innocent" or _killers_have_ended(state, guest):
        yield Move(f"{name} ends", _with(state, number, guest._replace(state="succeeded")))
    elif not guest.is_waiting:
        parked = guest._replace(state="parked", attempts=guest.attempts - 1)
        if "waits_parked" in guards and guest.attempts >= most:
            yield Move(f"{name} parks at once", _with(state, number, parked))
        else:
            yield Move(f"{name} waits in memory", _with(state, number, guest._replace(is_waiting=True)))
    else:
        parked = guest._replace(state="parked", attempts=guest.attempts - 1)
        yield Move(f"{name} has waited for long and parks", _with(state, number, parked))


def _taken_over(guest: Guest, most: int) -> Guest:
    if guest.state != "held":
        return guest
    return guest._replace(state="dead" if guest.attempts >= most else "ready", is_waiting=False)
