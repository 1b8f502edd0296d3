"""An explicit-state checker: every state that can be reached, breadth first, so that counterexamples are short.

Knows nothing of Perdure. A model gives its first state and the moves out of a state; a move may itself be a breach
(a write that should not have happened). *System* moves are those that happen without anybody's help (no fault, no
user): by them alone every state must reach one that is done, else the model is stuck.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Move(NamedTuple):
    """One thing that may happen. `breach` names the invariant that it breaks, with a word on how."""

    label: str
    state: Any
    is_system: bool = True
    breach: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """What is checked. `breach_in` looks at a state; `is_done` says that nothing more needs to happen."""

    first: Hashable
    moves: Callable[[Any], Iterable[Move]]
    breach_in: Callable[[Any], str | None] = lambda state: None
    is_done: Callable[[Any], bool] | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found: a breach with the trace that leads to it, or none in so many states."""

    states: int
    seconds: float
    breach: str | None = None
    trace: list[str] = field(default_factory=list)
    is_complete: bool = True

    @property
    def holds(self) -> bool:
        """Whether all states were looked at, and nothing broke."""
        return self.is_complete and not self.breach

    def describe(self) -> str:
        """For people: one line, and the trace as a numbered list."""
        verdict = self.breach or ("all hold" if self.is_complete else "no breach before the limit")
        lines = [f"{self.states:8d} states {self.seconds:6.1f} s  {verdict}"]
        lines += [f"    {number:2d}. {label}" for number, label in enumerate(self.trace, 1)]
        return "\n".join(lines)


def explore(model: Model, *, most_states: int = 3_000_000) -> Finding:
    """Visit every state; stop at the first breach. Without one, look for states from which nothing leads on."""
    began = time.perf_counter()
    came: dict[Hashable, tuple[Hashable, str] | None] = {model.first: None}
    back: dict[Hashable, list[Hashable]] = {}
    waiting = deque([model.first])

    def found(breach: str | None, state: Hashable, *labels: str, is_complete: bool = True) -> Finding:
        trace = _trace(came, state) if breach else []
        return Finding(len(came), time.perf_counter() - began, breach, [*trace, *labels], is_complete)

    while waiting:
        state = waiting.popleft()
        if breach := model.breach_in(state):
            return found(breach, state)
        for label, after, is_system, breach in model.moves(state):
            if breach:
                return found(breach, state, label)
            if after not in came:
                came[after] = state, label
                waiting.append(after)
            if is_system and model.is_done is not None:
                back.setdefault(after, []).append(state)
        if len(came) > most_states:
            return found(None, state, is_complete=False)
    if model.is_done is None:
        return found(None, model.first)
    stuck = _first_stuck(came, back, model.is_done)
    return (
        found(None, model.first)
        if stuck is None
        else found("L1 stuck", stuck, f"nothing leads on from {getattr(stuck, 'runs', stuck)}")
    )


def _trace(came: dict[Hashable, tuple[Hashable, str] | None], state: Hashable) -> list[str]:
    labels: list[str] = []
    while (step := came[state]) is not None:
        state, label = step
        labels.append(label)
    return labels[::-1]


def _first_stuck(
    came: Iterable[Hashable], back: dict[Hashable, list[Hashable]], is_done: Callable[[Any], bool]
) -> Hashable | None:
    """The first state from which no system moves lead to a done one."""
    good = {state for state in came if is_done(state)}
    waiting = list(good)
    while waiting:
        for before in back.get(waiting.pop(), ()):
            if before not in good:
                good.add(before)
                waiting.append(before)
    return next((state for state in came if state not in good), None)
