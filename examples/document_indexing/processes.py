"""Processes of our own: started with a log, killed with SIGKILL, and gone when we are."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class ServiceError(Exception):
    """A process did not come up or ended by itself; the message has the end of its log."""


def at_our_end(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A shell whose input ends when this process does: its script's `read` returns then, whatever ended us."""
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours to handle
    )


def environment(**settings: str) -> dict[str, str]:
    """The environment for our own processes: they find the example, and talk to this machine without a proxy."""
    path = os.pathsep.join(filter(None, (str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "NO_PROXY": "127.0.0.1", "PYTHONUNBUFFERED": "1", **settings}


def free_port() -> int:
    """A port of this machine that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Process:
    """One process with its children, in a session of its own; it works in `directory` and logs to a file there."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self._directory = directory
        self._log = directory / f"{name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of the running process."""
        self.check_alive()
        assert self._process is not None
        return self._process.pid

    def start(self, command: Sequence[str], settings: dict[str, str]) -> None:
        """Start the process; whether it is ready for anything is the caller's to find out."""
        self.kill()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self._directory,
                env=environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        self._guard = at_our_end('read -r _; kill -KILL "-$1"', str(self._process.pid))

    def is_running(self) -> bool:
        """Whether the process has been started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def check_alive(self) -> None:
        """Raise if the process has ended without having been told to."""
        if not self.is_running():
            raise ServiceError(f"The {self.name} has ended by itself:\n{self.end_of_log()}")

    def kill(self) -> None:
        """End the process with SIGKILL, which it cannot see coming, and all that it may have started."""
        if self._guard is not None:  # first: the number may soon be another process's
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def end_of_log(self) -> str:
        """The last lines that the process wrote."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])
