"""A process that undoes, or is about to have to, is killed at every boundary of every body."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def live(url: str, ledger: Path, dies_at: int) -> int:
    """One process; how it ended."""
    command = [sys.executable, "-m", "tests.identity.undone", url, str(ledger), str(dies_at)]
    return subprocess.run(command, timeout=120, check=False).returncode


def check(url: str, ledger: Path, dies_at: int) -> bool:
    """Killed there, and gone on with: whether it was killed at all."""
    killed = live(url, ledger, dies_at) == -signal.SIGKILL
    if killed:
        assert live(url, ledger, 0) == 0
    lines = ledger.read_text().splitlines()
    backs = [line.split()[1] for line in lines if line.startswith("back") and line.endswith("ends")]
    assert list(dict.fromkeys(backs)) == ["b", "said", "a"], "in reverse"
    assert len(backs) <= 3 + killed, "only what was cut off is repeated"
    assert {"back b B begins", "back a A begins"} <= set(lines)
    assert not any(line.startswith("back") for line in lines[: lines.index("fails")])
    return killed


@pytest.mark.parametrize("dies_at", [7])
def test_a_killed_run_is_undone_by_the_next_process(store_url: str, tmp_path: Path, dies_at: int) -> None:
    """While the second effect is being undone."""
    assert check(store_url, tmp_path / "ledger", dies_at)


@pytest.mark.long
@pytest.mark.parametrize("dies_at", range(1, 12))
def test_a_run_is_undone_wherever_it_is_killed(store_url: str, tmp_path: Path, dies_at: int) -> None:
    """Everywhere."""
    assert check(store_url, tmp_path / "ledger", dies_at)
