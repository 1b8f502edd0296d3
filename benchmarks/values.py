"""What typed values cost: `PYTHONPATH=src .venv/bin/python -m benchmarks.values` prints it, some seconds.

*Accept* is what recording an outcome does in Python: write, read back, compare. It stands beside what pickle takes to
write and read the same, in one process and in turn, as CPU time of the thread: the ratio is what to look at. *JSON* is
what msgspec takes to write and read that text as plain data, below which nothing gets that is kept readable. *Stall* is
the longest time for which the event loop did not come round while a step of an async run returned so many rows.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import enum
import gc
import pickle
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import msgspec
import pydantic

import perdure
from perdure._core.serialization import Serializer, TypeRegistry

ROUNDS = 7
ROWS, MANY_ROWS = 12_000, 100_000


@dataclass
class Row:
    id: int
    name: str
    email: str
    amount: float
    is_active: bool
    note: str | None


@dataclass
class Line:
    sku: str
    count: int
    price: float


@dataclass
class Order:
    id: int
    placed_at: dt.datetime
    lines: list[Line]
    tags: list[str]
    attributes: dict[str, str]


class State(enum.Enum):
    OPEN = "open"
    PAID = "paid"


class Item(pydantic.BaseModel):
    sku: str
    price: Decimal
    state: State


class Basket(pydantic.BaseModel):
    id: uuid.UUID
    placed_at: dt.datetime
    items: list[Item]
    note: str | None = None


class Model(pydantic.BaseModel):
    id: int
    name: str
    amount: float
    note: str | None = None


def rows(count: int) -> list[Row]:
    return [
        Row(i, f"name {i}", f"user{i}@example.org", i * 1.5, i % 2 == 0, None if i % 3 else "n" * 20)
        for i in range(count)
    ]


def orders(count: int) -> list[Order]:
    since = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return [
        Order(i, since + dt.timedelta(i), [Line(f"s{i}", j, 1.5 * j) for j in range(3)], ["a", "b"], {"k": f"v{i}"})
        for i in range(count)
    ]


def models(count: int) -> list[Model]:
    return [Model(id=i, name=f"name {i}", amount=i * 1.5) for i in range(count)]


def baskets(count: int) -> list[Basket]:
    since = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    return [
        Basket(
            id=uuid.UUID(int=i),
            placed_at=since + dt.timedelta(i),
            items=[Item(sku=f"s{i}", price=Decimal(j), state=State.PAID if j else State.OPEN) for j in range(3)],
        )
        for i in range(count)
    ]


MADE = rows(MANY_ROWS)
"""Made beforehand: the body of the step takes no time."""


def least(*works: Callable[[], object]) -> list[float]:
    """The least milliseconds of CPU of each, taken in turn."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for place, work in enumerate(works):
            gc.collect()
            began = time.thread_time()
            work()
            best[place] = min(best[place], time.thread_time() - began)
    return [seconds * 1e3 for seconds in best]


def compare(name: str, value: object) -> str:
    """One line: the size, pickle's time, ours, and the ratio."""
    registry = TypeRegistry()
    for kind in (Row, Order, Model, Basket):
        registry.register(kind)
    serializer = Serializer(registry)
    text = serializer.accept(value, what=name)[0].text
    pickled, plain, accepted = least(
        lambda: pickle.loads(pickle.dumps(value, protocol=5)),  # noqa: S301 - made here
        lambda: msgspec.json.encode(msgspec.json.decode(text)),
        lambda: serializer.accept(value, what=name),
    )
    return (
        f"{name}: {len(text) / 1e6:.1f} MB  pickle {pickled:.0f} ms  JSON {plain:.0f} ms  accept {accepted:.0f} ms  "
        f"{accepted / pickled:.1f}x"
    )


@perdure.step
async def make_rows() -> list[Row]:
    return MADE


@perdure.step
async def take_rows(values: list[Row]) -> int:
    return len(values)


@perdure.workflow
async def pipeline(is_passed_on: bool) -> int:
    made = await make_rows()
    return await take_rows(made) if is_passed_on else len(made)


async def stall(*, is_passed_on: bool) -> float:
    """The longest milliseconds between two rounds of the loop."""
    longest, is_over = 0.0, False

    async def watch() -> None:
        nonlocal longest
        while not is_over:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - began)

    watching = asyncio.create_task(watch())
    await pipeline(is_passed_on)
    is_over = True
    await watching
    return longest * 1e3


def main() -> None:
    values: list[tuple[str, object]] = [
        ("rows", rows(ROWS)),
        ("orders", orders(ROWS // 3)),
        ("models", models(ROWS)),
        ("baskets", baskets(ROWS // 4)),
    ]
    for name, value in values:
        sys.stdout.write(compare(name, value) + "\n")
    with tempfile.TemporaryDirectory() as folder, perdure.running(Path(folder) / "values.db"):
        for is_passed_on in (False, True):
            what = "returned, then passed to a step" if is_passed_on else "returned by a step"
            longest = asyncio.run(stall(is_passed_on=is_passed_on))
            sys.stdout.write(f"{MANY_ROWS} rows {what}: longest stall {longest:.0f} ms\n")


if __name__ == "__main__":
    main()
