"""Rule 16: a run is made held from the start, and its creation's reply is lost.

One healthy worker. It hands in a creation, sends it, and has the answer, or loses it and sends the same again.
Meanwhile it reconciles, since some other reply was lost, and claims whatever is ready. A creation that is known to be
made begins a body under the claim that it named; so does every claim.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move

MADE = 1
"""The claim under which the creation holds its run."""


class State(NamedTuple):
    """`entry`: the creation: `new`, `waiting`, `away` (committed, not answered), `unsure` (its reply is lost) or
    `settled`. `begins`: what the answer under way lets begin. `run` and `claim`: the row. `claims`: how many are drawn.
    `bodies`: the claims under which one runs here. `seen`: whether a reconcile that has looked knows the run.
    """

    entry: str = "new"
    begins: bool = False
    run: str = ""
    claim: int = 0
    claims: int = MADE
    bodies: tuple[int, ...] = ()
    is_unknown: bool = True
    seen: bool | None = None
    replies: int = 1


def model(guards: frozenset[str], replies: int = 2, claims: int = 4) -> Model:
    """So many lost replies; no more claims than that are drawn."""

    def moves(state: State) -> Iterator[Move]:
        is_free = state.seen is None or "reconciles_in_turn" not in guards
        if state.entry == "new":
            yield Move("the creation is handed in", state._replace(entry="waiting"))
        if state.entry in ("waiting", "unsure") and is_free:
            yield _sent(guards, state)
        if state.entry == "away" and is_free:
            yield from _answered(state)
        yield from _reconciled(guards, state)
        if state.run == "ready" and state.claims < claims:
            claim = state.claims + 1
            held = state._replace(run="held", claim=claim, claims=claim, bodies=(*state.bodies, claim))
            yield Move(f"the run is claimed (claim {claim}), its body runs", held)
        for claim in state.bodies:
            left = state._replace(bodies=tuple(body for body in state.bodies if body != claim))
            if state.run == "held" and state.claim == claim:
                left = left._replace(run="ended", claim=0)
            yield Move(f"the body under claim {claim} returns", left)

    def breach_in(state: State) -> str | None:
        return "I16 two bodies of one run run at once in a healthy worker" if len(state.bodies) > 1 else None

    def is_done(state: State) -> bool:
        return state.run == "ended" and not state.bodies

    return Model(State(replies=replies), moves, breach_in, is_done)


def _sent(guards: frozenset[str], state: State) -> Move:
    """The batch is committed; one that was committed before finds its own traces."""
    if not state.run:
        made = state._replace(entry="away", begins=True, run="held", claim=MADE)
        return Move("the creation is committed", made)
    is_held = state.run == "ended" or state.claim == MADE
    begins = is_held or "begins_only_what_it_holds" not in guards
    return Move("the creation goes again", state._replace(entry="away", begins=begins))


def _answered(state: State) -> Iterator[Move]:
    settled = state._replace(entry="settled", begins=False)
    if state.begins and state.run != "ended":
        settled = settled._replace(bodies=(*state.bodies, MADE))
    yield Move("its answer is there", settled)
    if state.replies:
        lost = state._replace(entry="unsure", begins=False, is_unknown=True, replies=state.replies - 1)
        yield Move("its answer is lost", lost, is_system=False)


def _reconciled(guards: frozenset[str], state: State) -> Iterator[Move]:
    """Rule 5. In its turn it waits for what is under way, and nothing is sent between the look and the statement."""
    if state.seen is not None:
        yield _handed_back(state, is_known=state.seen)
    elif state.is_unknown:
        is_handed_in = state.entry in ("waiting", "away", "unsure") and "knows_what_goes_again" in guards
        is_known = bool(state.bodies) or is_handed_in
        if "reconciles_in_turn" not in guards:
            yield Move("the worker looks at what it knows", state._replace(seen=is_known))
        elif state.entry != "away":
            yield _handed_back(state, is_known=is_known)


def _handed_back(state: State, *, is_known: bool) -> Move:
    after = state._replace(seen=None, is_unknown=state.entry in ("away", "unsure"))
    if state.run == "held" and not is_known:
        after = after._replace(run="ready", claim=0)
    return Move("the worker reconciles", after)
