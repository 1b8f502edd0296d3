"""A queue's slots in one process: who waits durably gives its slot back, and asks for one before it goes on.

A run of several branches, each a row of `b` (it computes) and `c` (it starts a run in the same queue and waits for it),
and strangers that want slots too. A run of which a branch waits durably holds no slot, and no run holds two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move

PARENT = 0


class State(NamedTuple):
    """`branches`: (place in the program, phase: go, wait, ended (its child has), ask). `children`: by branch,
    `ready`, `held` or `ending` (without its slot) while there is one. `asking`: branches in the row of those who want a
    slot again. `leaving`: children that have ended and have their slot still.
    """

    branches: tuple[tuple[int, str], ...]
    children: tuple[str, ...]
    strangers: tuple[str, ...]
    used: int = 1
    has_slot: bool = True
    asking: tuple[int, ...] = ()
    leaving: int = 0

    def branch(self, number: int, place: int, phase: str) -> State:
        branches = (*self.branches[:number], (place, phase), *self.branches[number + 1 :])
        return self._replace(branches=branches)

    def child(self, number: int, state: str) -> State:
        return self._replace(children=(*self.children[:number], state, *self.children[number + 1 :]))

    def stranger(self, number: int, state: str) -> State:
        return self._replace(strangers=(*self.strangers[:number], state, *self.strangers[number + 1 :]))

    @property
    def waits(self) -> bool:
        return any(phase == "wait" for _, phase in self.branches)


def model(
    guards: frozenset[str], programs: tuple[str, ...] = ("cbc", "bcb"), limit: int = 1, strangers: int = 1
) -> Model:
    """The parent with these branches, in a queue with so many slots."""

    def is_over(state: State) -> bool:
        return all(place == len(program) for (place, _), program in zip(state.branches, programs, strict=True))

    def moves(state: State) -> Iterator[Move]:
        for number, (place, phase) in enumerate(state.branches):
            yield from _branch(guards, state, number, place, phase, programs[number], limit)
        for number, child in enumerate(state.children):
            if child == "ready" and state.used < limit and not state.asking:
                yield Move(f"child {number} begins", state.child(number, "held")._replace(used=state.used + 1))
            elif child == "held":
                place, _ = state.branches[number]
                told = state.branch(number, place, "ended").child(number, "")
                yield Move(f"child {number} ends", told._replace(leaving=state.leaving + 1))
                if limit > 1:
                    handed_in = _freed(guards, state.child(number, "ending"), limit)
                    yield Move(f"child {number} hands in its end, and its slot", handed_in)
            elif child == "ending":
                place, _ = state.branches[number]
                yield Move(f"child {number} ends", state.branch(number, place, "ended").child(number, ""))
        if state.leaving:
            yield Move("a child leaves its slot", _freed(guards, state._replace(leaving=state.leaving - 1), limit))
        for number, stranger in enumerate(state.strangers):
            if stranger == "ready" and state.used < limit and not state.asking:
                yield Move("a stranger begins", state.stranger(number, "held")._replace(used=state.used + 1))
            elif stranger == "held":
                yield Move("a stranger ends", _freed(guards, state.stranger(number, "done"), limit))
        if is_over(state) and state.has_slot:
            yield Move("the parent ends", _freed(guards, state._replace(has_slot=False, asking=()), limit))

    def breach_in(state: State) -> str | None:
        held = state.children.count("held") + state.leaving + state.strangers.count("held")
        if state.used != held + state.has_slot:
            return f"S1 {state.used} slots are counted as used, {held + state.has_slot} are"
        if state.used > limit:
            return "S2 more runs than slots"
        if state.has_slot and state.waits:
            return "S3 a run that waits durably keeps its slot"
        return None

    def is_done(state: State) -> bool:
        return (
            is_over(state)
            and not state.has_slot
            and not state.leaving
            and all(stranger == "done" for stranger in state.strangers)
        )

    first = State(tuple((0, "go") for _ in programs), ("",) * len(programs), ("ready",) * strangers)
    return Model(first, moves, breach_in, is_done)


def _branch(
    guards: frozenset[str], state: State, number: int, place: int, phase: str, program: str, limit: int
) -> Iterator[Move]:
    if phase == "ended":
        if state.waits or state.has_slot:
            yield Move(f"branch {number} goes on", state.branch(number, place + 1, "go"))
        elif state.used < limit:
            went_on = state.branch(number, place + 1, "go")._replace(used=state.used + 1, has_slot=True)
            yield Move(f"branch {number} goes on with a slot", went_on)
        else:
            asked = state.branch(number, place, "ask")._replace(asking=(*state.asking, number))
            yield Move(f"branch {number} asks for a slot", asked)
    elif phase == "go" and place < len(program):
        if program[place] == "b":
            yield Move(f"branch {number} computes", state.branch(number, place + 1, "go"))
        else:
            yield Move(f"branch {number} waits for a child", _waiting(guards, state, number, place, limit))


def _waiting(guards: frozenset[str], state: State, number: int, place: int, limit: int) -> State:
    after = state.branch(number, place, "wait").child(number, "ready")
    if "waits_without_slot" not in guards:
        return after
    if "waiting_grants" in guards:  # whoever asked for this run goes on without: a branch of it waits again
        for asking in state.asking:
            after = after.branch(asking, after.branches[asking][0] + 1, "go")
        after = after._replace(asking=())
    return _freed(guards, after._replace(has_slot=False), limit) if state.has_slot else after


def _freed(guards: frozenset[str], state: State, limit: int) -> State:
    """A slot is free: first for those who want to go on."""
    state = state._replace(used=state.used - 1)
    if not state.asking or state.used >= limit:
        return state
    granted = state.asking if "one_slot_per_run" in guards else state.asking[:1]
    for number in granted:
        state = state.branch(number, state.branches[number][0] + 1, "go")
    return state._replace(asking=state.asking[len(granted) :], used=state.used + 1, has_slot=True)
