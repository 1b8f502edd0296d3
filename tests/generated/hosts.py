"""The parent's end of `live.py`: processes that host lives, each with its interpreter and hash seed."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import perdure
from tests.generated.live import LONGEST_SECONDS, Life

ROOT = Path(__file__).parents[2]
SOURCE = str(Path(perdure.__file__).parents[1])
PATIENCE_SECONDS = 3 * LONGEST_SECONDS


@dataclass(slots=True)
class Ended:
    """How a life ended: killed, or with how each program ended and the boundaries that it had."""

    is_killed: bool
    endings: dict[str, list[Any]]
    counted: dict[str, int]


class Host:
    """One process that forks a child for each life."""

    def __init__(self, python: str, hash_seed: int, folder: Path) -> None:
        self.folder = folder
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([SOURCE, str(ROOT)]),
            "PYTHONHASHSEED": str(hash_seed),
            "PYTHONDONTWRITEBYTECODE": "1",  # modules of one name may be written anew within a second
        }
        self._process = subprocess.Popen(
            [python, "-m", "tests.generated.live", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def run(self, life: Life) -> Ended:
        """One life, to its end."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(life.line().encode())
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], PATIENCE_SECONDS)[0]:
            raise AssertionError(f"life {life.number} does not end:\n{read(life.log())}")
        status = int(self._process.stdout.readline() or b"1")
        if status in {-signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM}:
            return Ended(True, {}, {})
        assert status == 0, f"life {life.number} ended with {status}:\n{read(life.log())}"
        return Ended(False, **json.loads(life.written().read_text()))

    def close(self) -> None:
        """End it, and a child that still lives."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


@contextmanager
def hosting(pythons: list[str], folder: Path) -> Iterator[list[Host]]:
    """A host for each, under different hash seeds; they find the programs' modules in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    hosts: list[Host] = []
    try:
        for number, python in enumerate(pythons):
            hosts.append(Host(python, number + 1, folder))
        yield hosts
    finally:
        for host in hosts:
            host.close()


def read(path: Path) -> str:
    """The file's text, or nothing."""
    return path.read_text() if path.exists() else ""
