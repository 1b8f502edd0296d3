"""A process that is killed at any moment loses nothing that it was told is done."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.stores.sqlite import SqliteStore
from tests.stores.entries import W1, join

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"

WRITER = """
import sys
from perdure.stores.sqlite import SqliteStore
from tests.stores.entries import W1, created, finished, recorded

store = SqliteStore(sys.argv[1])
life, number = sys.argv[2], 0
while True:
    number += 1
    ids = [f"{life}-{number}-{n}" for n in range(number % 7 + 1)]
    store.apply(W1, [created(i, held_as=f"claim {i}") for i in ids])
    store.apply(W1, [recorded(i, f"claim {i}", str(k)) for i in ids for k in range(3)])
    store.apply(W1, [finished(i, f"claim {i}") for i in ids])
    print(" ".join(ids), flush=True)
"""


def live_and_die(path: Path, life: int, acknowledgements: int) -> list[str]:
    """Apply batches in a process of its own, kill it after some acknowledgements; the runs it was told are done."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(SOURCE), str(ROOT)])}
    command = [sys.executable, "-c", WRITER, str(path), str(life)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(acknowledgements)]
        writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    return [run_id for line in lines if line.endswith("\n") for run_id in line.split()]


def check_nothing_is_lost(path: Path, lives: int, chance: random.Random) -> None:
    """Kill that many writers, and look after each death."""
    store = SqliteStore(path)
    store.migrate()
    join(store, W1)
    done: list[str] = []
    for life in range(lives):
        done += live_and_die(path, life, chance.randint(1, 40))
        ended = store.runs.ended(done)
        assert {run.run_id for run in ended} == set(done)
        assert all(run.state == "succeeded" and run.output is not None for run in ended)
        store.close()
        plain = sqlite3.connect(path)
        assert plain.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert plain.execute("PRAGMA foreign_key_check").fetchall() == []
        counts = plain.execute("SELECT run_id, count(*) FROM checkpoints GROUP BY run_id").fetchall()
        assert {run_id for run_id, count in counts if count == 3} >= set(done)
        plain.close()


def test_killed_writers_lose_nothing(tmp_path: Path) -> None:
    """Every acknowledged run is there after each kill, whole, and the file is sound."""
    check_nothing_is_lost(tmp_path / "perdure.db", 7, random.Random(20))  # noqa: S311  # no secret: the same kills every time


@pytest.mark.long
@pytest.mark.timeout(900)
def test_hundreds_of_killed_writers_lose_nothing(tmp_path: Path) -> None:
    """The same, long enough to meet checkpoints."""
    check_nothing_is_lost(tmp_path / "perdure.db", 300, random.Random(300))  # noqa: S311  # no secret
