"""What `map` holds of its items at once."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import Handle, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS


@step
def square(number: int) -> int:
    """A small thing."""
    return number * number


@step
async def asquare(number: int) -> int:
    """The same."""
    return number * number


class Taken:
    """Items that tell how many were taken; and how many handles there are."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.taken = self.ahead = self.handles = 0

    def __iter__(self) -> Iterator[int]:
        for number in range(self.count):
            self.taken += 1
            yield number

    def look(self, item: int) -> None:
        """At a result."""
        self.ahead = max(self.ahead, self.taken - item)
        if item % 40 == 20:
            gc.collect()
            self.handles = max(self.handles, sum(type(one) is Handle for one in gc.get_objects()))

    @property
    def found(self) -> list[int]:
        """What was seen."""
        return [self.taken, self.ahead, self.handles]


@workflow
def lazily(count: int) -> list[int]:
    """What it sees of its items."""
    taken = Taken(count)
    for result in perdure.map(square, taken, limit=5):
        taken.look(result.item)
    return taken.found


@workflow
async def alazily(count: int) -> list[int]:
    """The same."""
    taken = Taken(count)
    async for result in perdure.map(asquare, taken, limit=5):
        taken.look(result.item)
    return taken.found


@pytest.mark.parametrize("function", [lazily, alazily], ids=["sync", "async"])
def test_only_a_window_of_the_items_is_in_memory(function: Any, tmp_path: Path) -> None:
    """Items are taken as earlier ones end, and no handle outlives its result."""
    gc.collect()
    before = sum(type(one) is Handle for one in gc.get_objects())
    with perdure.running(str(tmp_path / "p.db")):  # where a run does not leave memory at once
        taken, ahead, handles = perdure.start(function, 100).result(PATIENCE_SECONDS)
    assert taken == 100
    assert ahead <= 8 * 5
    assert handles <= before + 5 + 2
