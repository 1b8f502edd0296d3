"""Rule 14: keys with turns. Who stirs a key, which keys are in line, who leaves it, and that nobody waits for ever.

One queue, whose claims come one after the other (see `limits`). A run of a key becomes ready in a transaction whose
stir is seen with it; a claim makes turns of the stirs, gives the first key in line its share, and lets it leave the
line or go to its end. The empty key stands for runs without one. `key_limit`: slots of one key; `has_rate`: one
start of each key until its window opens again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .checker import Model, Move

NONE = ""


class Key(NamedTuple):
    """`ready`, `held`: how many of its runs are; `left`: how many will come. `stirs`: whether there is a row for it.
    `turn`: its place in the line, 0 when it has none; `sleeps`: until its window opens. `passed`: how often
    another key has been served since it could have been.
    """

    name: str
    left: int
    ready: int = 0
    held: int = 0
    stirs: int = 0
    turn: int = 0
    sleeps: bool = False
    started: bool = False
    passed: int = 0


class State(NamedTuple):
    """`turns`: how many were given. `keyless`: the turn of the runs without a key."""

    keys: tuple[Key, ...]
    turns: int = 0
    deaths: int = 1

    def with_key(self, key: Key) -> State:
        return self._replace(keys=tuple(key if one.name == key.name else one for one in self.keys))


def model(
    guards: frozenset[str],
    runs: tuple[tuple[str, int], ...] = (("a", 3), ("b", 2), (NONE, 2)),
    *,
    limit: int = 1,
    key_limit: int = 1,
    has_rate: bool = False,
) -> Model:
    """These runs, in a queue of so many slots."""

    def moves(state: State) -> Iterator[Move]:
        for key in state.keys:
            yield from _runs(guards, state, key)
        if "heals" in guards:
            yield from _healed(state)
        if sum(key.held for key in state.keys) < limit:
            yield from _claim(guards, state, key_limit, has_rate=has_rate)

    def breach_in(state: State) -> str | None:
        most = len(state.keys)
        for key in state.keys:
            if key.held > key_limit and key.name:
                return f"S6 key {key.name} has more slots than its limit"
            if key.passed >= most:
                return f"T1 key {key.name or 'without'} has been passed by {key.passed} times"
        return None

    def is_done(state: State) -> bool:
        return not any(key.ready or key.held or key.left for key in state.keys)

    return Model(State(tuple(Key(name, left) for name, left in runs)), moves, breach_in, is_done)


def _stirred(guards: frozenset[str], key: Key, guard: str) -> Key:
    return key._replace(stirs=1) if guard in guards and key.name else key


def _runs(guards: frozenset[str], state: State, key: Key) -> Iterator[Move]:
    """Its runs come, end, and lose their workers."""
    name = f"a run of key {key.name}" if key.name else "a run without a key"
    if key.left:
        more = key._replace(left=key.left - 1, ready=key.ready + 1)
        yield Move(f"{name} is ready", state.with_key(_stirred(guards, more, "stirs_ready")))
    if key.held:
        less = _stirred(guards, key._replace(held=key.held - 1), "stirs_ends")
        yield Move(f"{name} ends", state.with_key(less))
    if key.held and state.deaths:
        back = _stirred(guards, key._replace(held=key.held - 1, ready=key.ready + 1), "stirs_ready")
        yield Move(f"the worker of {name} dies", state.with_key(back)._replace(deaths=0), is_system=False)
    if key.started:
        yield Move(f"the window of key {key.name} opens", state.with_key(key._replace(started=False)))


def _healed(state: State) -> Iterator[Move]:
    """Now and then: a key with ready runs that is in no line is stirred."""
    for key in state.keys:
        if key.name and key.ready and not key.turn and not key.stirs:
            yield Move(f"key {key.name} is healed", state.with_key(key._replace(stirs=1)))


def _claim(guards: frozenset[str], state: State, key_limit: int, *, has_rate: bool) -> Iterator[Move]:
    """One run is taken, if there is one that may begin."""
    state = _lined_up(guards, state)
    line = sorted((key for key in state.keys if key.turn and not key.sleeps), key=lambda key: key.turn)
    keyless = next((key for key in state.keys if not key.name), None)
    if keyless is not None and keyless.ready and _is_keyless_first(guards, keyless, line):
        turn = state.turns + 1 if line else keyless.turn
        taken = keyless._replace(ready=keyless.ready - 1, held=keyless.held + 1, turn=turn, passed=0)
        after = state.with_key(taken)._replace(turns=max(turn, state.turns))
        yield Move("a run without a key is claimed", _passed(after, keyless, key_limit))
        return
    for key in line:
        has_room = key.held < key_limit or "key_counts" not in guards
        may = has_room and not (has_rate and key.started) and key.ready > 0
        state = _left_line(guards, state, key, key_limit, has_taken=may, has_rate=has_rate)
        if may:
            yield Move(f"a run of key {key.name} is claimed", _passed(state, key, key_limit))
            return
    if keyless is not None and keyless.ready:
        taken = keyless._replace(ready=keyless.ready - 1, held=keyless.held + 1, passed=0)
        yield Move("a run without a key is claimed, no key has any", _passed(state.with_key(taken), keyless, key_limit))
        return
    yield Move("a claim finds nothing", _in_order(state))


def _lined_up(guards: frozenset[str], state: State) -> State:
    """Stirs become turns, at the end of the line; who slept and may begin again, too."""
    for key in state.keys:
        if key.stirs:
            turn = key.turn or state.turns + 1
            state = state._replace(turns=max(state.turns, turn)).with_key(key._replace(stirs=0, turn=turn))
    for key in state.keys:
        if key.sleeps and not key.started and "keys_wake" in guards:
            state = state._replace(turns=state.turns + 1)
            state = state.with_key(key._replace(sleeps=False, turn=state.turns))
    return state


def _is_keyless_first(guards: frozenset[str], keyless: Key, line: list[Key]) -> bool:
    return not line or keyless.turn <= line[0].turn or "keyless_takes_turns" not in guards


def _left_line(
    guards: frozenset[str], state: State, key: Key, key_limit: int, *, has_taken: bool, has_rate: bool
) -> State:
    """Who has nothing more, or is full, leaves the line; who has used its window sleeps; others go to its end."""
    if has_taken:
        key = key._replace(ready=key.ready - 1, held=key.held + 1, started=has_rate, passed=0)
    if not key.ready or key.held >= key_limit:
        return state.with_key(key._replace(turn=0))
    turn = state.turns + 1 if "end_of_line" in guards else key.turn
    sleeps = has_rate and key.started
    return state._replace(turns=max(turn, state.turns)).with_key(key._replace(turn=turn, sleeps=sleeps))


def _passed(state: State, served: Key, key_limit: int) -> State:
    """Another key was served."""
    keys = list[Key]()
    for key in state.keys:
        is_waiting = key.ready and key.name != served.name and (key.turn or not key.name)
        could = is_waiting and not key.started and (not key.name or key.held < key_limit)
        keys.append(key._replace(passed=key.passed + 1 if could else 0))
    return _in_order(state._replace(keys=tuple(keys)))


def _in_order(state: State) -> State:
    """The same with small turns: only their order counts."""
    order = sorted({key.turn for key in state.keys if key.turn})
    keys = (key._replace(turn=order.index(key.turn) + 1 if key.turn else 0) for key in state.keys)
    return state._replace(keys=tuple(keys), turns=len(order))
