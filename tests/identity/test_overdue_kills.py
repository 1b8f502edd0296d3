"""The process of a run that its deadline ends is killed at every boundary of every body, and of what undoes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def live(url: str, ledger: Path, dies_at: int) -> int:
    """One process; how it ended."""
    command = [sys.executable, "-m", "tests.identity.overdue", url, str(ledger), str(dies_at)]
    return subprocess.run(command, timeout=120, check=False).returncode


def check(url: str, ledger: Path, dies_at: int) -> None:
    """Killed there, if it comes so far, and gone on with: the process itself looks at what it has done and undone."""
    assert live(url, ledger, dies_at) in (0, -signal.SIGKILL)
    assert live(url, ledger, 0) == 0


@pytest.mark.parametrize("dies_at", [6])
def test_a_killed_run_ends_by_its_deadline_in_the_next_process(store_url: str, tmp_path: Path, dies_at: int) -> None:
    """While it waits for ever."""
    check(store_url, tmp_path / "ledger", dies_at)


@pytest.mark.long
@pytest.mark.parametrize("dies_at", range(1, 14))
def test_a_run_ends_by_its_deadline_wherever_it_is_killed(store_url: str, tmp_path: Path, dies_at: int) -> None:
    """Everywhere."""
    check(store_url, tmp_path / "ledger", dies_at)
