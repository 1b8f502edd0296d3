"""What a fault is: a world for it, and one strike, which is done again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from .world import Plan, World


@dataclass(slots=True)
class Struck:
    """What one strike has done: how many of what is counted, and how long it took until the work went on, each time."""

    count: int = 1
    back: list[float] = field(default_factory=list)
    also: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way of breaking things. `counted` says what a one of its figure is, `back` what its times are from and to."""

    name: str
    counted: str
    back: str
    whole: int
    strike: Callable[[World, Random], Struck]
    plan: Plan
    short: int = 1
    most_seconds_back: float | None = None
    has_one_clock: bool = True
    missing: Callable[[], str | None] = lambda: None
    """Why it cannot be done on this machine."""
