"""The fixtures of the tests of integrations: a database of their own, and servers as real processes."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.stores.conftest import store_url as store_url  # a fixture

with contextlib.suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture

ROOT = Path(__file__).parents[2]


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of a SQLite file that the default instance works on."""
    url = str(tmp_path / "perdure.db")
    monkeypatch.setenv("PERDURE_URL", url)
    with perdure.running(url, poll_seconds=0.1):
        yield url


class Server:
    """A server as a process, at an address that stays when it is killed and started again."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self._command = [sys.executable, "-m", *command]
        self._environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", **environment}
        self._folder = folder
        self._door = socket.create_server(("127.0.0.1", 0))  # open all the time: requests wait there for a server
        self.address = f"http://127.0.0.1:{self._door.getsockname()[1]}"
        self.errors = folder / "server.err"

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, in a session of its own."""
        number = self._door.fileno()
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                [word.format(fd=number) for word in self._command],
                pass_fds=[number],
                env=self._environment,
                cwd=self._folder,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
            )
        return self.process

    def kill(self) -> None:
        """SIGKILL to it and all its children, and wait until they are gone."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()

    def close(self) -> None:
        """End it, however it stands."""
        self.kill()
        self._door.close()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Any]:
    """`make_server(module, *arguments, **environment)`; `{fd}` stands for the number of the open socket."""
    servers: list[Server] = []

    def make(*command: str, **environment: str) -> Server:
        servers.append(Server(list(command), environment, tmp_path))
        servers[-1].start()
        return servers[-1]

    yield make
    for server in servers:
        server.close()
