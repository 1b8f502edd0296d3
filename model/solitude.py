"""Rule 11: only a run that died alone ends as dead, and last attempts and others wait for each other with an end.

One process, started again after every death. `killer`: kills it as soon as it runs. `innocent`: ends by itself.
`parent`: waits for the killers' ends. `lasting`: never ends. `haunting`: ends, and a thread that it leaves behind may
kill yet.
Time is chance: a last attempt may have waited for long, or been alone for long, at any moment.

Not prevented: a run that begins when another one has been alone for long, ends, and leaves a thread behind that kills
the worker while nothing but that other one is held. No row says that it is alone no more: none may change (rule 15).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move


class Guest(NamedTuple):
    """A run. `is_alone`: nothing else begins beside it; `is_beside`: it was claimed beside others, as its row says."""

    kind: str
    state: str = "ready"
    attempts: int = 0
    is_waiting: bool = False
    is_alone: bool = False
    is_beside: bool = False
    haunts: bool = False

    @property
    def is_in_memory(self) -> bool:
        """Whether the process has something of it."""
        return self.state == "held" or self.haunts


State = tuple[Guest, ...]


def model(
    guards: frozenset[str], kinds: tuple[str, ...] = ("parent", "killer", "killer"), most: int = 3, spent: int = 0
) -> Model:
    """These runs with so many attempts each, of which some are `spent`."""

    def moves(state: State) -> Iterator[Move]:
        for number, guest in enumerate(state):
            if guest.state == "ready":
                yield from _claims(guards, state, number, guest, most)
            elif guest.state == "held":
                yield from _execution(guards, state, number, guest, most)
            elif guest.state == "parked" and _killers_have_ended(state, guest):
                yield Move(f"{_name(state, number)} is woken", _with(state, number, guest._replace(state="ready")))
            if guest.haunts:
                yield Move(f"{_name(state, number)} is gone", _with(state, number, guest._replace(haunts=False)))
                after = _after_death(guards, state, most)
                yield Move(f"what {_name(state, number)} left behind kills", after, is_system=False)

    def breach_in(state: State) -> str | None:
        dead = [_name(state, i) for i, guest in enumerate(state) if guest.state == "dead" and guest.kind != "killer"]
        return f"I14 innocent and dead: {dead[0]}" if dead else None

    def is_done(state: State) -> bool:
        return all(guest.state in ("succeeded", "dead") for guest in state if guest.kind != "lasting")

    return Model(tuple(Guest(kind, attempts=spent) for kind in kinds), moves, breach_in, is_done)


def _name(state: State, number: int) -> str:
    return f"run {number} ({state[number].kind})"


def _with(state: State, number: int, guest: Guest) -> State:
    return (*state[:number], guest, *state[number + 1 :])


def _claims(guards: frozenset[str], state: State, number: int, guest: Guest, most: int) -> Iterator[Move]:
    if any(other.is_alone for other in state):
        return
    name, holds_some = _name(state, number), any(other.state == "held" for other in state)
    held = guest._replace(state="held", attempts=min(guest.attempts + 1, most), is_beside=holds_some)
    if guest.attempts < most - 1 or "last_alone" not in guards:
        yield Move(f"{name} is claimed", _with(state, number, held))
    elif not any(other.is_in_memory for other in state):
        yield Move(f"{name} is claimed alone", _with(state, number, held._replace(is_alone=True)))
    elif "last_beside" in guards:
        yield Move(f"{name} is claimed beside others", _with(state, number, held._replace(is_beside=True)))


def _killers_have_ended(state: State, parent: Guest) -> bool:
    return parent.kind == "parent" and all(g.state == "dead" for g in state if g.kind == "killer")


def _execution(guards: frozenset[str], state: State, number: int, guest: Guest, most: int) -> Iterator[Move]:
    name = _name(state, number)
    ended = guest._replace(state="succeeded", is_alone=False)
    if guest.is_alone and "alone_no_more" in guards:
        alone_no_more = _with(state, number, guest._replace(is_alone=False))
        yield Move(f"{name} has been alone for long, others may begin", alone_no_more)
    if guest.kind == "killer":
        yield Move(f"{name} kills the worker, which is taken over", _after_death(guards, state, most))
    elif guest.kind == "haunting":
        yield Move(f"{name} ends, but for a thread", _with(state, number, ended._replace(haunts=True)))
    elif guest.kind == "innocent" or _killers_have_ended(state, guest):
        yield Move(f"{name} ends", _with(state, number, ended))
    elif guest.kind == "parent" and not guest.is_waiting:
        waits = guest._replace(is_waiting=True, is_alone=False)
        yield Move(f"{name} waits in memory", _with(state, number, waits))
    elif guest.kind == "parent":
        parked = guest._replace(state="parked", attempts=guest.attempts - 1, is_waiting=False)
        yield Move(f"{name} has waited for long and parks", _with(state, number, parked))


def _after_death(guards: frozenset[str], state: State, most: int) -> State:
    """The worker is taken over; its process starts again, and nothing of the old one is there."""
    is_lone = sum(guest.state == "held" for guest in state) == 1 or "dies_alone" not in guards

    def fate(guest: Guest) -> Guest:
        gone = guest._replace(is_waiting=False, is_alone=False, haunts=False)
        if guest.state != "held":
            return gone
        was_beside = guest.is_beside and "claimed_beside" in guards
        is_dead = guest.attempts >= most and is_lone and not was_beside
        return gone._replace(state="dead" if is_dead else "ready")

    return tuple(map(fate, state))
