"""Runs that are started anew from a step, forked and deleted, beside who holds them and beside each other.

One run: it calls a child, waits for it, records a step, and ends; its worker may let go of it at any time. People
read what it was and make a plan: to start it anew with the first so many of its records, to fork it, to delete it
with its child. A plan is done later, in one transaction, in which the look and the act are two moves where nothing
is locked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move

ENDED = ("succeeded", "cancelled")
CALL, STEP, WHOLE = 1, 2, 2


class Child(NamedTuple):
    """`life`: of the run, when it was made; `record`: of the call that made it."""

    life: int
    record: int
    state: str = "ready"
    is_cancelled: bool = False


class Plan(NamedTuple):
    """What was read, and what is to be done by that; `has_looked`: and all was still so."""

    what: str
    state: str
    life: int
    records: tuple[int, ...]
    keeps: int = 0
    children: frozenset[int] = frozenset()
    has_looked: bool = False


class State(NamedTuple):
    """`records`: their numbers, which no other record ever has. `cancel`: the life for which somebody has asked for its
    end. `fork`: what a fork has, once there is one.
    """

    run: str = "ready"
    life: int = 1
    records: tuple[int, ...] = ()
    drawn: int = 0
    children: tuple[Child, ...] = ()
    cancel: int = 0
    has_output: bool = False
    parent: str = "none"
    plans: tuple[Plan, ...] = ()
    fork: tuple[int, ...] | None = None
    lives: int = 2
    wishes: int = 2
    releases: int = 1
    cancels: int = 1

    def with_child(self, number: int, **more: object) -> State:
        child = self.children[number]._replace(**more)
        return self._replace(children=(*self.children[:number], child, *self.children[number + 1 :]))

    def without(self, plan: Plan) -> State:
        left = list(self.plans)
        left.remove(plan)
        return self._replace(plans=tuple(left))


def model(
    guards: frozenset[str], *, is_child: bool = False, wishes: int = 2, whats: str = "restart fork delete"
) -> Model:
    """With these guards; the run itself may be a `child`, whose parent waits for it. So many plans are made."""

    def moves(state: State) -> Iterator[Move]:
        if state.run == "gone":
            return
        yield from _run(guards, state)
        for number, child in enumerate(state.children):
            yield from _child(state, number, child)
        if state.parent == "open" and state.run in ENDED:
            yield Move("its parent ends", state._replace(parent="ended"))
        if state.wishes:
            for plan in _plans(state, whats.split()):
                planned = state._replace(plans=tuple(sorted((*state.plans, plan))), wishes=state.wishes - 1)
                yield Move(f"somebody plans a {plan.what}, keeping {plan.keeps}", planned, is_system=False)
        for plan in dict.fromkeys(state.plans):
            yield from _done(guards, state, plan)

    first = State(parent="open" if is_child else "none", wishes=wishes)
    return Model(first, moves, _breach_in, lambda state: state.run in (*ENDED, "gone"))


def _breach_in(state: State) -> str | None:
    if state.run == "gone":
        is_left = any(child.state not in ENDED for child in state.children)
        return "R5 a child goes on whose parent was deleted" if is_left else None
    for child in state.children:
        if child.record not in state.records and child.state not in ENDED and not child.is_cancelled:
            return "R3 the child of a call that was cut goes on"
    if state.has_output and state.run not in ENDED:
        return "R7 a run that goes on has the output of a former life"
    return None


def _run(guards: frozenset[str], state: State) -> Iterator[Move]:
    """Its worker, and who cancels it."""
    if state.cancels and state.run not in ENDED:
        yield Move("the run is cancelled", state._replace(cancel=state.life, cancels=0), is_system=False)
    if state.run == "ready" and state.cancel:
        breach = "R6 a cancel of a former life ends this one" if state.cancel != state.life else None
        yield Move("the run is swept", state._replace(run="cancelled"), breach=breach)
    if state.run == "ready" and not state.cancel:
        yield Move("the run is claimed", state._replace(run="held"))
    if state.run != "held":
        return
    if state.releases:
        yield Move("its worker lets go", state._replace(run="ready", releases=state.releases - 1), is_system=False)
    called = len(state.records) >= CALL
    if not called:
        yield _calls(guards, state)
    elif len(state.records) < STEP and _has_ended(state):
        recorded = (*state.records, state.drawn + 1)
        yield Move("a step is recorded", state._replace(records=recorded, drawn=state.drawn + 1))
    elif len(state.records) == WHOLE:
        outcome = "cancelled" if state.cancel == state.life else "succeeded"
        yield Move(f"the run ends as {outcome}", state._replace(run=outcome, has_output=True))


def _has_ended(state: State) -> bool:
    """Whether the child of the call has; one that was made in another life is the record's all the same."""
    return any(child.record == state.records[0] and child.state in ENDED for child in state.children)


def _calls(guards: frozenset[str], state: State) -> Move:
    """The child's id is made of the run's life."""
    record = state.drawn + 1
    called = state._replace(records=(record,), drawn=record)
    for number, child in enumerate(state.children):
        if child.life == state.life or "next_life" not in guards:
            breach = "R4 a life takes the child of a former one"
            return Move("the run takes a child that is there", called.with_child(number, record=record), breach=breach)
    return Move("the run calls a child", called._replace(children=(*called.children, Child(state.life, record))))


def _child(state: State, number: int, child: Child) -> Iterator[Move]:
    if child.state == "ready":
        ended = "cancelled" if child.is_cancelled else "succeeded"
        yield Move(f"child {number} ends as {ended}", state.with_child(number, state=ended))


def _plans(state: State, whats: list[str]) -> Iterator[Plan]:
    """What people may wish, by what they read now."""
    read = state.run, state.life, state.records
    if "restart" in whats and state.lives:
        for keeps in range(len(state.records) + 1):
            cut = state.records[keeps:]
            of_cut = frozenset(i for i, c in enumerate(state.children) if c.record in cut and c.state not in ENDED)
            yield Plan("restart", *read, keeps, of_cut)
    if "fork" in whats and state.records and state.fork is None:
        yield Plan("fork", *read, len(state.records))
    if "delete" in whats:
        yield Plan("delete", *read)


def _done(guards: frozenset[str], state: State, plan: Plan) -> Iterator[Move]:
    """It is done if it holds, else it is given up; without a lock, it is done by what was looked at before."""
    if not plan.has_looked and not _holds(guards, state, plan):
        yield Move(f"the {plan.what} is given up", state.without(plan))
        return
    if not plan.has_looked and f"{plan.what}_locks" not in guards:
        looked = state.without(plan)
        looked = looked._replace(plans=tuple(sorted((*looked.plans, plan._replace(has_looked=True)))))
        yield Move(f"the {plan.what} looks", looked, is_system=False)
        return
    after = state.without(plan)
    if plan.what == "restart":
        yield _restarted(guards, state, after, plan)
    elif plan.what == "delete":
        breach = None if state.run in ENDED else "R2 a run that has not ended is deleted"
        yield Move("the run is deleted, with its child", after._replace(run="gone"), breach=breach)
    else:
        kept = state.records[: plan.keeps]
        breach = None if len(kept) == plan.keeps else "F1 a fork lacks what it is to have"
        yield Move("the run is forked", after._replace(fork=kept), breach=breach)


def _holds(guards: frozenset[str], state: State, plan: Plan) -> bool:
    if plan.what == "fork":
        return "fork_whole" not in guards or len(state.records) >= plan.keeps  # by their keys, of whichever life
    if plan.what == "delete":
        has_ended = state.run in ENDED and all(child.state in ENDED for child in state.children)
        return ("delete_ended" not in guards or has_ended) and state.parent != "open" and state.fork is None
    return (
        ("not_held" not in guards or state.run != "held")
        and ("plan_state" not in guards or state.run == plan.state)
        and ("plan_life" not in guards or state.life == plan.life)
        and ("plan_records" not in guards or state.records == plan.records)
        and ("open_parent" not in guards or state.parent != "open")
    )


def _restarted(guards: frozenset[str], state: State, after: State, plan: Plan) -> Move:
    """The next life, with what it keeps."""
    breach = None
    if state.run == "held":
        breach = "R2 a run that somebody holds is started anew"
    elif (state.run, state.life, state.records) != (plan.state, plan.life, plan.records):
        breach = "R1 a run is started anew by a plan that does not hold any more"
    elif state.parent == "open":
        breach = "R8 a run is started anew while its parent goes on"
    after = after._replace(run="ready", life=state.life + 1, records=plan.records[: plan.keeps], lives=state.lives - 1)
    after = after._replace(cancel=0 if "forgets_cancel" in guards else state.cancel)
    after = after._replace(has_output=state.has_output and "forgets_output" not in guards)
    for number in plan.children if "cuts_children" in guards else ():
        after = after.with_child(number, is_cancelled=True)
    return Move(f"the run is started anew, with {plan.keeps} records", after, breach=breach)
