"""The process of pure steps that give something else each time is killed before and after every body."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest


def live(url: str, ledger: Path, dies_at: int, kind: str) -> subprocess.CompletedProcess[str]:
    """One process."""
    command = [sys.executable, "-m", "tests.identity.pure", url, str(ledger), str(dies_at), kind]
    return subprocess.run(command, timeout=120, check=False, stdout=subprocess.PIPE, text=True)


def check(url: str, ledger: Path, dies_at: int, kind: str) -> None:
    """Killed there, and gone on with: whatever was seen has the values that are recorded, one for each call."""
    assert live(url, ledger, dies_at, kind).returncode == -signal.SIGKILL
    gone_on = live(url, ledger, 0, kind)
    assert gone_on.returncode == 0
    told = dict.fromkeys(gone_on.stdout.strip().split(","))
    assert len({value.partition("=")[0] for value in told}) == len(told), "the end and the events agree"
    for line in ledger.read_text().splitlines():
        if line.startswith("seen "):
            assert set(line.removeprefix("seen ").split(",")) <= set(told), line


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_killed_run_has_shown_nothing_that_is_not_recorded(store_url: str, tmp_path: Path, kind: str) -> None:
    """After the first effect."""
    check(store_url, tmp_path / "ledger", 5, kind)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("dies_at", range(1, 17))
def test_wherever_it_is_killed(store_url: str, tmp_path: Path, dies_at: int, kind: str) -> None:
    """Everywhere."""
    check(store_url, tmp_path / "ledger", dies_at, kind)
