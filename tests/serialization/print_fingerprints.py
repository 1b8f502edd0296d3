"""Run by the fingerprint test in other processes: prints the fingerprints and texts of fixed arguments."""

from __future__ import annotations

import datetime as dt
import enum
import json
import sys
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from perdure._core.serialization import Serializer, TypeRegistry


class Colour(enum.Enum):
    RED = 1


@dataclass(frozen=True)
class Point:
    x: Any
    y: Any


def calls() -> list[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Arguments whose parts have no order of their own, or whose text a Python version might write differently."""
    words = [f"word{number}" for number in range(50)]
    return [
        ((), {}),
        ((1, "a", None, 2.5, 1e16, 1e22, 5e-324, -0.0, float("nan")), {}),
        ((set(words),), {}),
        ((frozenset({(word, Point(word, frozenset(words))) for word in words}),), {"b": 1, "a": set(words)}),
        (({word: {1: word, "x": set(words)} for word in words},), {}),
        ((Counter(words), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), Decimal("1E+5"), Colour.RED, 2**100), {}),
        ((ValueError("x", {"a", "b", "c"}),), {}),
    ]


def main() -> None:
    registry = TypeRegistry()
    registry.register(Point)
    registry.register(Colour)
    serializer = Serializer(registry)
    found = []
    for args, kwargs in calls():
        stored = serializer.accept_arguments(args, kwargs, what="it")[0]
        found.append([serializer.fingerprint(stored), serializer.fingerprint_of(args, kwargs)])
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
