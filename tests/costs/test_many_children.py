"""Many children of one sync parent: no poll and no thread for each of them, and of rows that of its call alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks.perdure_side import COMMITTING
from perdure._engine.claiming.slots import LEAST_ENDING
from perdure.stores.open import open_store

ROOT = Path(__file__).resolve().parents[2]
SIZES = [1_000, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
LIMITS = [pytest.param(0, id="default limit"), pytest.param(1, id="limit 1", marks=pytest.mark.long)]
OVERHEAD_MB = 60
"""What the instance, its threads and connections may take beside the children."""
CHILD_KB = 12
"""What one child may take in its parent's process: a handle, an entry, its end."""


def begin(url: str, number: int, limit: int, ledger: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "tests.costs.many_children", url, str(number), str(limit), str(ledger)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    return subprocess.Popen(words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, _ = process.communicate()
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])  # type: ignore[no-any-return]


def check_frugal(result: dict[str, Any], url: str, number: int, *, claims: int) -> None:
    """Nothing grows with the number of children but the claims and commits that execute them."""
    names = Counter(result["statements"])
    assert result["total"] == number * (number - 1) // 2
    assert result["threads"] <= 32 + 12
    assert result["grown_mb"] <= OVERHEAD_MB + number * CHILD_KB / 1024
    transactions = sum(names[name] for name in COMMITTING)
    assert transactions <= claims + number * 2 + 20
    per_child = {name for name, times in names.items() if times > number / 4}
    assert not {
        name for name in per_child if name in ("pulse", "ended_runs", "run", "history_checkpoints", "cancel_runs")
    }
    store = open_store(url)
    kinds = Counter(checkpoint.kind for checkpoint in store.runs.checkpoints("the parent"))
    assert kinds == {"child": number}  # a sync parent with one branch needs no order log
    store.close()


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("number", SIZES)
def test_many_children_are_cheap(url: str, tmp_path: Path, number: int, limit: int) -> None:
    """Submitted in a loop and waited for in a loop, on a queue with the default limit and one at a time."""
    result = finish(begin(url, number, limit, tmp_path / "ledger"))

    check_frugal(result, url, number, claims=number)
    assert len((tmp_path / "ledger").read_text().splitlines()) == number


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("number", SIZES)
def test_many_children_are_cheap_after_a_kill(url: str, tmp_path: Path, number: int, limit: int) -> None:
    """Killed half-way: what has ended is not run again, and going on costs no more than beginning."""
    ledger = tmp_path / "ledger"
    ledger.touch()
    first = begin(url, number, limit, ledger)
    while first.poll() is None and ledger.stat().st_size < 4 * number // 2:
        os.sched_yield()
    first.kill()
    first.communicate()

    result = finish(begin(url, number, limit, ledger))

    check_frugal(result, url, number, claims=number)
    runs = Counter(ledger.read_text().splitlines())
    assert len(runs) == number
    slots = limit or 32
    assert sum(runs.values()) - number <= slots + max(slots, LEAST_ENDING)
    assert max(runs.values()) <= 2
