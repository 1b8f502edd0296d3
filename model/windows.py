"""Rule 14: a rolling window. So many starts in any time of one period, by `started_at` of the rows, deaths counted.

Time goes in ticks, between any two moves. Two workers claim; a claim asks, locks the queue, counts and is committed;
its moment is the `started_at` of what it starts and that of the window's row, which has a running total. A run may
be parked and go on, which is no start, or lose its worker, after which it is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move

END = 6


class Run(NamedTuple):
    """`starts`: at which ticks it has begun, but for what goes on. `has_died`: its last claim was ended by a death."""

    state: str = "ready"
    starts: tuple[int, ...] = ()
    has_died: bool = False


class Claim(NamedTuple):
    """`moment`: the time by which it counts, once it has one; `takes`: the run that it will start."""

    moment: int | None = None
    takes: int | None = None
    is_counted: bool = False


class State(NamedTuple):
    """`rows`: of the window, each a moment and the total up to it."""

    runs: tuple[Run, ...]
    claims: tuple[Claim | None, ...] = (None, None)
    rows: tuple[tuple[int, int], ...] = ()
    tick: int = 0
    parks: int = 1
    deaths: int = 1

    def with_run(self, number: int, run: Run) -> State:
        return self._replace(runs=(*self.runs[:number], run, *self.runs[number + 1 :]))

    def with_claim(self, place: int, claim: Claim | None) -> State:
        return self._replace(claims=(*self.claims[:place], claim, *self.claims[place + 1 :]))


def model(
    guards: frozenset[str],
    *,
    one_writer: bool = False,
    rate: int = 1,
    period: int = 2,
    runs: int = 3,
    deaths: int = 1,
    parks: int = 1,
) -> Model:
    """So many starts in any `period` ticks."""

    def moves(state: State) -> Iterator[Move]:
        if state.tick < END:
            yield Move("time passes", state._replace(tick=state.tick + 1))
        for place, claim in enumerate(state.claims):
            yield from _claim(guards, state, place, claim, rate, period, one_writer)
        for number, run in enumerate(state.runs):
            yield from _run(state, number, run)

    def breach_in(state: State) -> str | None:
        starts = sorted(start for run in state.runs for start in run.starts)
        for first, after in zip(starts, starts[rate:], strict=False):
            if after - first < period:
                return f"W1 {rate + 1} starts in one period, at {first} and {after}"
        return None

    def is_done(state: State) -> bool:
        return state.tick == END or all(run.state == "done" for run in state.runs)

    return Model(State((Run(),) * runs, deaths=deaths, parks=parks), moves, breach_in, is_done)


def _run(state: State, number: int, run: Run) -> Iterator[Move]:
    if run.state == "parked":
        yield Move(f"run {number} is woken", state.with_run(number, run._replace(state="ready")))
    if run.state != "held":
        return
    yield Move(f"run {number} ends", state.with_run(number, run._replace(state="done")))
    if state.parks:
        parked = state.with_run(number, run._replace(state="parked"))
        yield Move(f"run {number} is parked", parked._replace(parks=0), is_system=False)
    if state.deaths:
        died = state.with_run(number, run._replace(state="ready", has_died=True))
        yield Move(f"the worker of run {number} dies", died._replace(deaths=state.deaths - 1), is_system=False)


def _claim(
    guards: frozenset[str],
    state: State,
    place: int,
    claim: Claim | None,
    rate: int,
    period: int,
    one_writer: bool,
) -> Iterator[Move]:
    name = f"worker {place + 1}"
    others = [one for one in state.claims if one is not None and one is not claim and one.is_counted]
    is_alone = not others or not (one_writer or "queue_lock" in guards)
    if claim is None:
        if any(run.state == "ready" for run in state.runs):
            moment = None if "moment_in_lock" in guards else state.tick
            yield Move(f"{name} asks", state.with_claim(place, Claim(moment)))
    elif not claim.is_counted and is_alone:
        moment = state.tick if claim.moment is None else claim.moment
        counted = Claim(moment, _taken(guards, state, moment, rate, period), is_counted=True)
        after = state.with_claim(place, counted)
        if one_writer:
            yield Move(f"the claim of {name} is committed", _committed(guards, after, place, counted, rate, period))
        else:
            yield Move(f"the claim of {name} counts", after)
    elif claim.is_counted:
        yield Move(f"the claim of {name} is committed", _committed(guards, state, place, claim, rate, period))


def _taken(guards: frozenset[str], state: State, moment: int, rate: int, period: int) -> int | None:
    """The first run that is ready, if the window that ends now has room for it."""
    total = max((total for _, total in state.rows), default=0)
    before = [row for row in state.rows if row[0] <= moment - period]
    started = total - (max(before)[1] if before else 0)
    taken = {claim.takes for claim in state.claims if claim is not None}
    ready = [number for number, run in enumerate(state.runs) if run.state == "ready" and number not in taken]
    return ready[0] if ready and started < rate else None


def _committed(guards: frozenset[str], state: State, place: int, claim: Claim, rate: int, period: int) -> State:
    after = state.with_claim(place, None)
    if claim.takes is None or claim.moment is None:
        return after
    run = state.runs[claim.takes]
    is_start = not run.starts or run.has_died
    counts = is_start if "deaths_count" in guards else not run.starts
    at = claim.moment if "same_moment" in guards else state.tick
    starts = (*run.starts, at) if is_start else run.starts
    may_go_on = state.parks or state.deaths
    after = after.with_run(claim.takes, Run("held" if may_go_on else "done", starts))
    if counts:
        total = max((total for _, total in state.rows), default=0)
        after = after._replace(rows=_kept(guards, (*state.rows, (claim.moment, total + 1)), claim.moment, period))
    return after


def _kept(
    guards: frozenset[str], rows: tuple[tuple[int, int], ...], moment: int, period: int
) -> tuple[tuple[int, int], ...]:
    """What no window looks at any more goes; but not the row from which it counts."""
    before = [row for row in rows if row[0] <= moment - period]
    base = max(before)[1] if before else 0
    return tuple(row for row in rows if row[1] >= base)
