"""A parent and its two children: a park that misses no end, a cancel that misses no child.

The parent starts both children, waits for the first, then for the second, and ends. Ends of children that are executed
here are told to it in two moves (the run knows; the branch that waits is woken), as the engine does; it may park at any
moment while it waits. It may be cancelled, and its worker be taken over, at any time; what it had handed in may then
arrive late.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move

CREATED, ENDED = ("ready", "held", "succeeded", "cancelled"), ("succeeded", "cancelled")
AWAIT, END = 2, 4


class Family(NamedTuple):
    """`step`: 0 and 1 start a child, 2 and 3 wait for it. `known`: ends that the claim knows; `woken`: that it was
    woken by. `lane`: handed in under claim `claim`; `late`: what an earlier claim had handed in.
    """

    parent: str = "held"
    claim: int = 1
    step: int = 0
    known: frozenset[int] = frozenset()
    woken: frozenset[int] = frozenset()
    lane: tuple[tuple[str, int], ...] = ()
    late: tuple[tuple[str, int], ...] = ()
    seen: int = 0
    is_flagged: bool = False
    is_cancelled: bool = False
    children: tuple[str, ...] = ("none", "none")
    cancels: frozenset[int] = frozenset()
    cancel_left: int = 1
    takeover_left: int = 1

    def with_child(self, number: int, state: str) -> Family:
        return self._replace(children=tuple(state if i == number else s for i, s in enumerate(self.children)))

    @property
    def ended(self) -> frozenset[int]:
        return frozenset(i for i, s in enumerate(self.children) if s in ENDED)


def model(guards: frozenset[str], *, cancels: int = 1, takeovers: int = 1) -> Model:
    """The family with these guards."""

    def moves(state: Family) -> Iterator[Move]:
        yield from _user(guards, state)
        yield from _parent(guards, state)
        for number, child in enumerate(state.children):
            yield from _child(guards, state, number, child)

    first = Family(cancel_left=cancels, takeover_left=takeovers)
    return Model(
        first, moves, _breach_in, lambda s: s.parent in ENDED and all(c in (*ENDED, "none") for c in s.children)
    )


def _breach_in(state: Family) -> str | None:
    if state.parent == "cancelled":
        for number, child in enumerate(state.children):
            if child in ("ready", "held") and number not in state.cancels:
                return f"C1 the parent was cancelled, its child {number} goes on"
    if state.parent == "succeeded" and len(state.ended) < len(state.children):
        return "C2 the parent has ended and a child that it waited for has not"
    return None


def _user(guards: frozenset[str], state: Family) -> Iterator[Move]:
    if state.cancel_left and state.parent not in ENDED:
        yield Move("the parent is cancelled", state._replace(is_cancelled=True, cancel_left=0), is_system=False)
    if state.takeover_left and state.parent == "held":
        left = state._replace(takeover_left=0, lane=(), late=state.lane, known=frozenset(), woken=frozenset())
        if state.is_cancelled:
            yield Move("the parent's worker is taken over", _end_cancelled(guards, left), is_system=False)
        else:
            yield Move("the parent's worker is taken over", left._replace(parent="ready"), is_system=False)
    if state.late and "create_join" not in guards:
        yield Move(
            "what the old claim handed in arrives", _created(state._replace(late=()), state.late), is_system=False
        )
    if state.is_cancelled and state.parent in ("ready", "parked"):
        yield Move("the parent is swept", _end_cancelled(guards, state))


def _end_cancelled(guards: frozenset[str], state: Family) -> Family:
    """The parent ends by its cancel, which goes on to those children that are there."""
    there = frozenset(i for i, child in enumerate(state.children) if child in ("ready", "held"))
    return state._replace(parent="cancelled", cancels=state.cancels | (there if "passes_on" in guards else frozenset()))


def _created(state: Family, lane: tuple[tuple[str, int], ...]) -> Family:
    for kind, number in lane:
        if kind == "create" and state.children[number] == "none":
            state = state.with_child(number, "ready")
    return state


def _parent(guards: frozenset[str], state: Family) -> Iterator[Move]:
    if state.parent == "parked":
        is_woken = len(state.ended) > state.seen if "wakes_by_data" in guards else state.is_flagged
        if is_woken and not state.is_cancelled:
            yield Move("the parent is woken", state._replace(parent="ready", is_flagged=False))
    if state.parent == "ready":
        there = sum(child != "none" for child in state.children)
        step = there if there < AWAIT else AWAIT + (0 in state.ended) + (0 in state.ended and 1 in state.ended)
        held = state._replace(
            parent="held", claim=state.claim + 1, step=step, known=state.ended, woken=frozenset(), lane=()
        )
        yield Move("the parent is claimed and replays", held)
    if state.parent != "held":
        return
    if state.lane:
        yield Move("the parent's entries are committed", _committed(guards, state))
    if state.lane and state.lane[-1][0] in ("finish", "park"):
        return
    if state.is_cancelled:
        yield Move("the parent ends by its cancel", state._replace(lane=(*state.lane, ("finish", 0))))
        if state.step >= AWAIT:  # or it has not seen it
            pass
    if state.step < AWAIT:
        handed_in = state._replace(lane=(*state.lane, ("create", state.step)), step=state.step + 1)
        yield Move(f"the parent starts child {state.step}", handed_in)
    elif state.step == END:
        yield Move("the parent ends", state._replace(lane=(*state.lane, ("finish", 1))))
    else:
        awaited = state.step - AWAIT
        if awaited in state.woken:
            yield Move(f"the parent has the end of child {awaited}", state._replace(step=state.step + 1))
        else:
            seen = state.known - {awaited} if "seen_is_not_awaited" in guards else state.known
            parking = state._replace(lane=(*state.lane, ("park", len(seen))))
            yield Move(f"the parent parks, waiting for child {awaited}, {len(seen)} ends seen", parking)


def _committed(guards: frozenset[str], state: Family) -> Family:
    lane = state.lane
    kind, detail = lane[-1]
    creations_first = "creations_first" in guards or kind != "finish"
    after = _created(state, lane) if creations_first else state
    after = after._replace(lane=())
    if kind == "park":
        after = after._replace(parent="parked", seen=detail, known=frozenset(), woken=frozenset(), is_flagged=False)
    elif kind == "finish":
        after = _end_cancelled(guards, after) if state.is_cancelled else after._replace(parent="succeeded")
    return after if creations_first else _created(after, lane)


def _child(guards: frozenset[str], state: Family, number: int, child: str) -> Iterator[Move]:
    if child == "ready":
        yield Move(f"child {number} is claimed", state.with_child(number, "held"))
        if number in state.cancels:
            yield Move(f"child {number} is swept", state.with_child(number, "cancelled"))
    elif child == "held":
        ended = state.with_child(number, "cancelled" if number in state.cancels else "succeeded")
        yield Move(f"child {number} ends", ended._replace(is_flagged=ended.is_flagged or state.parent == "parked"))
    elif child in ENDED and state.parent == "held":
        if number not in state.known:
            yield Move(f"the parent knows that child {number} ended", state._replace(known=state.known | {number}))
        elif number not in state.woken:
            yield Move(
                f"the branch that waits for child {number} is woken", state._replace(woken=state.woken | {number})
            )
