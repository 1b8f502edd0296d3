"""Killed before each thing that is done on the connection, begun again: every row is there once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.transactions.conftest import accounts
from tests.transactions.sources import Way

ROOT = Path(__file__).parents[2]
MOST = 60


def run(url: str, name: str, dies_at: int) -> int:
    """The status that the program ends with."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    return subprocess.run(
        [sys.executable, "-m", "tests.transactions.program", url, name, str(dies_at)], env=environment, timeout=120
    ).returncode


OFTEN = [("sqlite", "sqlite3"), ("postgres", "psycopg")]


def check_kills(url: str, name: str, places: range) -> None:
    """One process after the other dies at the next place; the last one comes to the end."""
    for dies_at in places:
        status = run(url, name, dies_at)
        rows = accounts(url)
        assert len(rows) == len(set(rows)), (dies_at, rows)
        if status == 0:
            break
        assert status == 9, status
    assert accounts(url) == ["ada", "bob"]
    assert dies_at > 5


@pytest.mark.long
def test_no_kill_repeats_or_loses_a_row(kind_and_way: tuple[str, Way], url: str, request: Any) -> None:
    """Before everything that is done on the connection, one thing later each time."""
    check_kills(url, request.node.callspec.params["kind_and_way"][1], range(1, MOST))


@pytest.mark.parametrize("kind_and_way", OFTEN, ids="-".join, indirect=True)
def test_a_kill_repeats_and_loses_no_row(kind_and_way: tuple[str, Way], url: str, request: Any) -> None:
    """At every fifth of these places."""
    check_kills(url, request.node.callspec.params["kind_and_way"][1], range(3, MOST, 5))
