"""Rule 10 by the lock of a session, and what a worker meets that wakes after it was taken over.

Time goes in ticks. Worker 1 holds a run and the lock of its session; worker 2 looks at the lock in each tick, in a
session of its own, and takes over whom it believes to be dead. A session that breaks is opened again within `AGAIN`
ticks, after a restart of the server within `BACK`; who was stopped does nothing meanwhile, and may have been in a
transaction.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move

AGAIN, GRACE, BACK, UNSEEN = 1, 2, 3, 5
MOST = 9


class State(NamedTuple):
    """`is_held`: the lock, by worker 1; `broken`: for how many ticks it is not; `back`: how many it may need.
    `has_seen`, `free_for`: what worker 2 remembers; `is_new`: it looks in a new session. `run`: `held` (under
    `claim`, by `holder`), `ready` or `done`. `has_it`: worker 1 has the run in memory, and wants to record a step
    of it.
    """

    is_alive: bool = True
    is_stopped: bool = False
    was_stopped: bool = False
    is_in_transaction: bool = False
    is_held: bool = True
    broken: int = 0
    back: int = AGAIN
    has_row: bool = True
    has_it: bool = True
    has_seen: bool = True
    free_for: int = -1
    is_new: bool = False
    run: str = "held"
    holder: int = 1
    claim: int = 1
    faults: tuple[tuple[str, int], ...] = ()

    def spend(self, fault: str) -> State:
        return self._replace(faults=tuple((name, left - (name == fault)) for name, left in self.faults))

    @property
    def is_healthy(self) -> bool:
        """Whether nobody may take it for dead."""
        return self.is_alive and not self.was_stopped and self.has_row


def model(guards: frozenset[str], *, has_lock: bool = True, **faults: int) -> Model:
    """`has_lock`: else worker 1 is behind a pooler, and its lease alone says that it lives."""

    def moves(state: State) -> Iterator[Move]:
        yield from _surroundings(state, has_lock=has_lock)
        yield from _tick(guards, state, has_lock=has_lock)
        if state.is_alive and state.is_stopped:
            yield Move("worker 1 wakes", state._replace(is_stopped=False, is_in_transaction=False), is_system=False)
        elif state.is_alive:
            yield from _first(guards, state)
        if state.holder == 2 and state.run == "held":
            yield Move("the run ends at worker 2", state._replace(run="done"))
        if state.run == "ready":
            held = state._replace(run="held", holder=2, claim=state.claim + 1)
            yield Move("worker 2 claims the run", held)

    def breach_in(state: State) -> str | None:
        is_forgotten = state.run == "held" and state.holder == 1 and not state.has_it
        if is_forgotten and state.is_held:
            return "I15 a held run is in no memory, and its worker's lock is not free"
        return None

    first = State(is_held=has_lock, faults=tuple(sorted(faults.items())))
    return Model(first, moves, breach_in, lambda state: state.run == "done")


def _surroundings(state: State, *, has_lock: bool) -> Iterator[Move]:
    for fault, left in state.faults:
        if not left or not state.is_alive:
            continue
        after = state.spend(fault)
        if fault == "death":
            gone = after._replace(is_alive=False, has_it=False, is_held=False, is_in_transaction=False)
            yield Move("worker 1 dies", gone, is_system=False)
        elif fault == "stop" and not state.is_stopped:
            stopped = after._replace(is_stopped=True, was_stopped=True)
            yield Move("worker 1 is stopped", stopped, is_system=False)
            inside = stopped._replace(is_in_transaction=True)
            yield Move("worker 1 is stopped in a transaction", inside, is_system=False)
        elif fault == "break" and state.is_held:
            broken = after._replace(is_held=False, broken=0, back=AGAIN)
            yield Move("the session of worker 1 breaks", broken, is_system=False)
        elif fault == "restart":
            all_new = after._replace(is_held=False, broken=0, back=BACK, is_new=True, is_in_transaction=False)
            yield Move("the server is started again", all_new, is_system=False)


def _tick(guards: frozenset[str], state: State, *, has_lock: bool) -> Iterator[Move]:
    """Time passes, unless a living worker must have taken its lock by then; and worker 2 looks."""
    is_late = has_lock and state.is_alive and not state.is_stopped and not state.is_held and state.has_row
    if is_late and state.broken >= state.back:
        return
    seen, free_for = state.has_seen, state.free_for
    if state.is_new and "forgets_with_session" in guards:
        seen, free_for = False, -1
    if state.is_held:
        seen, free_for = True, -1
    else:
        free_for = min(free_for + 1, MOST) if "watches_it_free" in guards else MOST
    broken = 0 if state.is_held else min(state.broken + 1, MOST)
    on = state._replace(has_seen=seen, free_for=free_for, is_new=False, broken=broken)
    patience = GRACE if seen or "unseen_for_longer" not in guards else UNSEEN
    is_looked_at = has_lock or "looks_where_noted" not in guards
    is_dead = is_looked_at and state.has_row and free_for >= patience
    yield from _taken_over(guards, on) if is_dead else (Move("a tick passes", on),)
    if state.has_row and (state.is_stopped or not state.is_alive) and not is_dead:  # a lock is no sign of life
        yield from _taken_over(guards, on)


def _taken_over(guards: frozenset[str], state: State) -> Iterator[Move]:
    """By its lock, or by its lease. Its sessions are ended first; who has the worker's row locked is passed by."""
    if state.is_in_transaction and not {"ends_sessions", "session_timeout"} & guards:
        yield Move("worker 1 cannot be taken over: its row is locked", state)
        return
    breach = "K3 a healthy worker is taken over" if state.is_healthy else None
    after = state._replace(has_row=False, is_in_transaction=False, is_held=False)
    if state.run == "held" and state.holder == 1:
        after = after._replace(run="ready", holder=0)
    yield Move("worker 1 is taken over", after, breach=breach)


def _first(guards: frozenset[str], state: State) -> Iterator[Move]:
    """Worker 1, while it is not stopped."""
    if not state.is_held and state.has_row:
        yield Move("worker 1 takes its lock again", state._replace(is_held=True, broken=0))
    if not state.has_it:
        return
    if not state.has_row and "fence" in guards:
        yield Move("worker 1 is fenced, and drops the run", state._replace(has_it=False))
        return
    is_its = state.holder == 1 and state.run == "held"
    joins = is_its or "worker_join" not in guards
    breach = None if is_its else "I3 a step is written by a worker that does not hold the run"
    ended = state._replace(run="done" if is_its else state.run, has_it=False)
    if joins:
        yield Move("worker 1 writes", ended, breach=breach)
    else:
        yield Move("what worker 1 writes finds no claim of its", state._replace(has_it=False))
