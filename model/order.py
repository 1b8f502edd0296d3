"""The order of deliveries: positions without gaps, and a replay that repeats them, whatever prefix was committed.

Branches take turns; each turn has a position. The turn and the entry that records it are two moves, and only what was
handed in before a commit is kept by it; the process may die at any moment, and the next claim replays what is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move


class State(NamedTuple):
    """`done`: turns taken by each branch. `taken`: (position, branch, nth) that have a turn and no entry yet.
    `lane`: handed in. `kept`: committed. `position`: the next in this claim. `told`: deliveries of this claim.
    """

    done: tuple[int, ...]
    taken: tuple[tuple[int, int, int], ...] = ()
    lane: tuple[tuple[int, int, int], ...] = ()
    kept: tuple[tuple[int, int, int], ...] = ()
    position: int = 0
    told: tuple[tuple[int, int], ...] = ()
    deaths: int = 1


def model(guards: frozenset[str], lengths: tuple[int, ...] = (2, 2), deaths: int = 2) -> Model:
    """So many branches of so many deliveries each."""

    def moves(state: State) -> Iterator[Move]:
        recorded = {(branch, nth): position for position, branch, nth in state.kept}
        is_replaying = state.position < len(state.kept)
        for branch, nth in enumerate(state.done):
            if nth < lengths[branch] and not any(turn[1] == branch for turn in state.taken):
                is_due = recorded.get((branch, nth), state.position if not is_replaying else -1) == state.position
                if is_due or "replays_in_order" not in guards:
                    yield from _turn(guards, state, branch, nth, is_recorded=(branch, nth) in recorded)
        for turn in state.taken:
            handed_in = state._replace(taken=tuple(t for t in state.taken if t != turn), lane=(*state.lane, turn))
            yield Move(f"branch {turn[1]} hands in position {turn[0]}", handed_in)
        if state.lane:
            first, *rest = state.lane
            yield Move(f"position {first[0]} is committed", state._replace(lane=tuple(rest), kept=(*state.kept, first)))
        if state.deaths:
            again = State((0,) * len(lengths), kept=state.kept, deaths=state.deaths - 1)
            yield Move("the process dies, another one replays", again, is_system=False)

    def breach_in(state: State) -> str | None:
        if sorted(turn[0] for turn in state.kept) != list(range(len(state.kept))):
            return "O1 the recorded positions have a gap"
        order = [(branch, nth) for _, branch, nth in sorted(state.kept)]
        both = min(len(order), len(state.told))
        if list(state.told[:both]) != order[:both]:
            return "O2 a replay delivers in another order than was recorded"
        return None

    first = State((0,) * len(lengths), deaths=deaths)
    return Model(first, moves, breach_in, lambda state: state.done == lengths and not state.taken and not state.lane)


def _turn(guards: frozenset[str], state: State, branch: int, nth: int, *, is_recorded: bool) -> Iterator[Move]:
    if "one_turn_at_a_time" in guards and state.taken:
        return
    done = (*state.done[:branch], nth + 1, *state.done[branch + 1 :])
    after = state._replace(done=done, position=state.position + 1, told=(*state.told, (branch, nth)))
    if not is_recorded:
        after = after._replace(taken=(*state.taken, (state.position, branch, nth)))
    yield Move(f"branch {branch} gets its outcome {nth} at position {state.position}", after)
