"""A `map` over many items goes on half-way in the next process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.stores.conftest import store_url as store_url  # a fixture

PROGRAM = Path(__file__).parent / "programs" / "mapping.py"
PATIENCE_SECONDS = 300
LIMIT = 20
MOST_KILOBYTES = 60_000
"""What ten thousand items add to the process: far less than if all of them were handles with tasks."""


def live(url: str, kind: str, life: str, count: int, lines: Path) -> subprocess.CompletedProcess[str]:
    """One life of the program."""
    return subprocess.run(
        [sys.executable, str(PROGRAM), url, kind, life, str(count), str(lines)],
        env={**os.environ, "PYTHONHASHSEED": "1" if life == "first" else "2"},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def check_resumed(url: str, kind: str, count: int, lines: Path) -> int:
    """Every item has run, none that was over runs again; the kilobytes that the second life took."""
    first = live(url, kind, "first", count, lines)
    assert first.returncode == 77, first.stderr
    second = live(url, kind, "second", count, lines)
    assert second.returncode == 0, second.stderr
    ended, kilobytes = map(int, second.stdout.split())
    ran = Counter(map(int, lines.read_text().split()))
    assert ended == count
    assert set(ran) == set(range(count))
    assert sum(ran.values()) - count <= LIMIT  # those at work, or not yet committed, when it died
    return kilobytes


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_killed_map_goes_on_half_way(store_url: str, kind: str, tmp_path: Path) -> None:
    """Only what was at work at the time is repeated."""
    check_resumed(store_url, kind, 200, tmp_path / "lines")


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_ten_thousand_items_are_not_in_memory(store_url: str, kind: str, tmp_path: Path) -> None:
    """Nor when the second half is done by another process, which reads what the first has recorded."""
    assert check_resumed(store_url, kind, 10_000, tmp_path / "lines") < MOST_KILOBYTES
