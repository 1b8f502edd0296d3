"""A run that is killed at random moments comes to the same end, in the order that it had observed.

Each life is a fresh process with another hash seed, loop or Python. The ledger of the bodies is a file outside.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from perdure._core.order import CANCELLED_MARK
from tests.identity.killing import RUN_ID, Killed, Life, deliveries, kill_and_finish
from tests.stores.conftest import KINDS


@dataclass(slots=True)
class Case:
    """A program, how many of its bodies may run at once, and what its value must be."""

    program: str
    arguments: list[Any]
    width: int
    check: Callable[[Killed, list[str]], None]


def label_observed(key: str) -> str:
    """What `observing` and `observing_threads` note when this call is handed over."""
    path, _, number = key.rpartition("/")
    branch = path.rpartition(".")[2]
    return f"b{branch}-{int(number) // 2}" + (" marked" if int(number) % 2 else "")


def check_observed(killed: Killed, order: list[str]) -> None:
    """The workflow saw the outcomes in the recorded order, all of them."""
    assert killed.value == [label_observed(key) for key in order]
    assert len(killed.value) == len(killed.outcomes)


def check_threads(killed: Killed, order: list[str]) -> None:
    """The same; threads note the first of their two calls only."""
    assert killed.value == [label for label in map(label_observed, order) if not label.endswith("marked")]
    assert 2 * len(killed.value) == len(killed.outcomes)


def check_deep(killed: Killed, order: list[str]) -> None:
    """Every branch came to its end, and what each call was told had been seen in that order."""
    assert sorted(killed.value) == sorted(
        f"b{branch} {depth}" for branch in range(8) for depth in range(branch % 4 + 1)
    )
    assert len(order) == len(killed.outcomes)


def check_children(killed: Killed, order: list[str]) -> None:
    """Ends of children and sleeps are in the order too, in the log."""
    words = {"1": "child", "3": "slept"}
    seen = [key for key in order if key.rpartition("/")[2] in words]
    branches = [(key.rpartition("/")[0].rpartition(".")[2], words[key.rpartition("/")[2]]) for key in seen]
    assert killed.value == [f"{word} {branch}" for branch, word in branches]
    assert len(killed.value) == 8


def expect(value: Any) -> Callable[[Killed, list[str]], None]:
    """The value is the same whatever happens."""

    def check(killed: Killed, order: list[str]) -> None:
        assert killed.value == value

    return check


ONE = [["{0}0", "{0}1"], "late", "too late", "{0} SHIELDED"]
LIMITED = [json.loads(json.dumps(ONE).replace("{0}", name)) for name in "AB"]

CASES = [
    Case("observing", [4, 4], 4, check_observed),
    Case("observing_threads", [4, 4], 4, check_threads),
    Case("deep_observing", [8], 8, check_deep),
    Case("observing_children", [4], 4, check_children),
    Case("limited", [], 7, expect([LIMITED[0], ["X0", "X1", "X2", "X3", "X4"], LIMITED[1]])),
    Case("aborted", [], 5, expect(["f", "g", ["H0", "H1", "H2"], "i", "BETWEEN", "AFTER"])),
    Case(
        "groups",
        [],
        8,
        expect(
            [
                "G OWN",
                "G",
                "GL OWN",
                "GL",
                "GLL0",
                "GLL1",
                "GLR0",
                "GLR1",
                "GR OWN",
                "GR",
                "GRL0",
                "GRL1",
                "GRR0",
                "GRR1",
            ]
        ),
    ),
    Case("threaded", [], 8, lambda killed, order: None),
]
ON_EVERY_STORE = {"observing", "observing_threads", "observing_children"}
"""What depends on how the store keeps order and children. `make test-long` has all cases on every store."""
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.program)


def check_killed(case: Case, url: str, folder: Path, lives: list[Life], *, seed: int, kills: int) -> None:
    """Kill one run of the case, let it end, and hold it to all that is promised."""
    folder.mkdir(exist_ok=True)
    chance = random.Random(seed)  # noqa: S311  # timing
    killed = kill_and_finish(url, case.program, case.arguments, kills=kills, chance=chance, folder=folder, lives=lives)
    order = deliveries(url)
    case.check(killed, [order[position] for position in range(len(order)) if not order[position].startswith("!")])
    assert killed.repeated == [], "a recorded step ran again"
    bodies = {key: count for key, count in killed.ledger.items() if key.startswith(f"{RUN_ID}:")}
    assert sum(count - 1 for count in bodies.values()) <= case.width * killed.kills
    endless = [key for key in killed.ledger if key.startswith("endless ")]
    cancelled = {key.removeprefix(CANCELLED_MARK) for key in order.values() if key.startswith(CANCELLED_MARK)}
    assert {key.removeprefix(f"endless {RUN_ID}:") for key in endless} <= cancelled


@pytest.mark.parametrize(
    ("case", "store_url"),
    [(case, store) for store in KINDS for case in CASES if store == "sqlite" or case.program in ON_EVERY_STORE],
    ids=lambda one: one.program if isinstance(one, Case) else one,
    indirect=["store_url"],
)
def test_a_killed_run_ends_as_if_nothing_had_happened(
    case: Case, store_url: str, tmp_path: Path, lives: list[Life]
) -> None:
    """Same value, no recorded body again, others once more at most per branch and kill, one order for all lives."""
    check_killed(case, store_url, tmp_path, lives, seed=time.time_ns(), kills=2)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(25))
@each_case
def test_a_run_that_is_killed_again_and_again_ends_too(
    case: Case, seed: int, store_url: str, tmp_path: Path, lives: list[Life]
) -> None:
    """The same, many times."""
    check_killed(case, store_url, tmp_path, lives, seed=seed, kills=8)
