"""The process of a run that goes on as a new one is killed at every boundary of every round."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def live(url: str, ledger: Path, dies_at: int) -> int:
    """One process; how it ended."""
    command = [sys.executable, "-m", "tests.identity.rounds", url, str(ledger), str(dies_at)]
    return subprocess.run(command, timeout=120, check=False).returncode


def check(url: str, ledger: Path, dies_at: int) -> None:
    """Killed there, and gone on with: each round's body ran once, but for the one that was cut off."""
    assert live(url, ledger, dies_at) in (0, -signal.SIGKILL)
    assert live(url, ledger, 0) == 0
    bodies = [line for line in ledger.read_text().splitlines() if line.startswith("body")]
    assert list(dict.fromkeys(bodies)) == ["body 0 loop:0", "body 1 loop:1:0", "body 2 loop:2:0"]
    assert len(bodies) <= 4


@pytest.mark.parametrize("dies_at", [6])
def test_a_killed_round_is_gone_on_with(store_url: str, tmp_path: Path, dies_at: int) -> None:
    """About to continue, for the second time."""
    check(store_url, tmp_path / "ledger", dies_at)


@pytest.mark.long
@pytest.mark.parametrize("dies_at", range(1, 13))
def test_a_run_goes_on_wherever_it_is_killed(store_url: str, tmp_path: Path, dies_at: int) -> None:
    """Everywhere."""
    check(store_url, tmp_path / "ledger", dies_at)
