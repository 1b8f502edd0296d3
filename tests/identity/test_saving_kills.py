"""The process of a step that saves is killed before and after every save."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest


def live(url: str, ledger: Path, dies_at: int) -> int:
    """One process; how it ended."""
    command = [sys.executable, "-m", "tests.identity.saving", url, str(ledger), str(dies_at)]
    return subprocess.run(command, timeout=120, check=False).returncode


def check(url: str, ledger: Path, dies_at: int) -> None:
    """Killed there, and gone on with: no row that was saved begins again."""
    assert live(url, ledger, dies_at) == -signal.SIGKILL
    assert live(url, ledger, 0) == 0
    lines = ledger.read_text().splitlines()
    begun = Counter(line for line in lines if line.endswith("begins"))
    assert len(begun) == 8
    assert sum(begun.values()) <= 8 + (dies_at % 2), "only what was cut off before its save is repeated"


@pytest.mark.parametrize("dies_at", [6])
def test_a_killed_step_goes_on_where_it_was(store_url: str, tmp_path: Path, dies_at: int) -> None:
    """After the third row."""
    check(store_url, tmp_path / "ledger", dies_at)


@pytest.mark.long
@pytest.mark.parametrize("dies_at", range(1, 17))
def test_a_step_goes_on_wherever_it_is_killed(store_url: str, tmp_path: Path, dies_at: int) -> None:
    """Everywhere."""
    check(store_url, tmp_path / "ledger", dies_at)
