"""What a benchmark is: a shape of work, its size, who does it, and what ratio is to be reached.

The shapes themselves are in `shapes/`, one file each, with `SHAPE`. Words only: nothing is run here.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass, field

STORES = ("postgres", "sqlite")


@dataclass(frozen=True, kw_only=True)
class Target:
    """A bound on one figure of Perdure's: as it is, or divided by the same figure of another contestant.

    `at_least` and `at_most`: by store. `rival`: "dbos", "raw" or None for the bare figure.
    """

    figure: str
    rival: str | None = None
    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)

    def bound(self, store: str) -> str:
        """For people."""
        sign, bounds = ("≥", self.at_least) if self.at_least else ("≤", self.at_most)
        return f"{sign} {bounds[store]:g}{' ×' if self.rival else ''}"

    def is_met(self, store: str, value: float) -> bool:
        """Whether the value keeps the bound."""
        return value >= self.at_least[store] if self.at_least else value <= self.at_most[store]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape. `variants`: name to what differs. `counts`: what one unit of `unit` costs is printed too."""

    name: str
    title: str
    unit: str
    count: int
    tiny: int
    figure: str
    targets: Mapping[str, tuple[Target, ...]]
    variants: Mapping[str, str] = field(default_factory=lambda: {"": ""})
    contestants: tuple[str, ...] = ("perdure", "dbos")
    counted: int = 0
    """The size at which statements are counted; 0: not counted."""
    units_per_count: int = 1
    more_figures: tuple[str, ...] = ()
    is_memory_compared: bool = True
    others_once: bool = False
    """The variants are Perdure's alone: the others are measured in the first one, and that counts for all."""
    stores: tuple[str, ...] = STORES
    program: str = ""
    """`programs/CONTESTANT_PROGRAM.py`; one may serve several shapes. Else its own."""
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Which contestants have no such thing, by variant."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Of the size, for contestants that would take hours for the whole."""
    is_of_queues: bool = False
    """All queues are contestants; they have a table of their own."""

    def takes_part(self, contestant: str, variant: str) -> bool:
        """Whether this contestant is measured in this variant."""
        is_first = variant == next(iter(self.variants))
        can = contestant in self.contestants and contestant not in self.without.get(variant, ())
        return can and (contestant == "perdure" or is_first or not self.others_once)

    def size(self, scale: float, contestant: str = "perdure") -> int:
        """The count at a scale; never below the tiny one."""
        return max(self.tiny, int(self.count * scale * self.parts.get(contestant, 1.0)))

    def module(self, contestant: str) -> str:
        """The contestant's program."""
        return f"{contestant}_{self.program or self.name}"


def same(value: float) -> dict[str, float]:
    """The same bound on both stores."""
    return dict.fromkeys(STORES, value)


def times(postgres: float, sqlite: float | None = None) -> Target:
    """So many times the rate of DBOS."""
    bounds = {"postgres": postgres, "sqlite": postgres if sqlite is None else sqlite}
    return Target(figure="per_second", rival="dbos", at_least=bounds)


def all_shapes() -> list[Shape]:
    """Every shape, in the order of the issue's table, the flat ones last."""
    package = importlib.import_module("benchmarks.shapes")
    modules = [
        importlib.import_module(f"benchmarks.shapes.{found.name}") for found in pkgutil.iter_modules(package.__path__)
    ]
    shapes: list[Shape] = [module.SHAPE for module in modules]
    return sorted(shapes, key=lambda shape: package.ORDER.index(shape.name))
