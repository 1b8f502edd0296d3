"""Worker processes as the world sees them: started, stopped and continued, killed, and where they are."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from . import ledger, program, worker

ROOT = Path(__file__).parents[1]
LEAVES_WITHIN_SECONDS = 30.0


class Worker:
    """One place for a worker; each process in it has a name of its own, which is in its tokens."""

    def __init__(self, place: str, environment: Mapping[str, str], folder: Path, prefix: tuple[str, ...] = ()) -> None:
        self._place, self._environment, self._prefix = place, dict(environment), prefix
        self._folder = folder / place
        self._folder.mkdir()
        self._lives = count(1)
        self.process: subprocess.Popen[str]
        self.name = ""
        self.is_stopped = False

    def start(self) -> None:
        """A new process; returns when it is launched."""
        self.name = f"{self._place}.{next(self._lives)}"
        with (self._folder / "errors").open("ab") as errors:
            self.process = subprocess.Popen(
                [*self._prefix, sys.executable, "-m", "chaos.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=self._folder,
                env={**self._environment, "TMPDIR": str(self._folder), ledger.NAME: self.name},
            )

    def wait_until_ready(self) -> None:
        """Until it is launched."""
        assert self.process.stdout is not None
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{self.name} ended with {self.process.wait()}: {self.complaints()}")

    @property
    def pid(self) -> int:
        """Of its process, as this machine counts."""
        return self.process.pid

    def stop(self) -> None:
        """SIGSTOP; returns when it has stopped."""
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WNOWAIT | os.WEXITED)
        self.is_stopped = True

    def go_on(self) -> None:
        """SIGCONT."""
        self.is_stopped = False
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self._gone()

    def leave(self) -> None:
        """SIGTERM: it ends as of that."""
        os.kill(self._innermost(), signal.SIGTERM)
        try:
            status = self.process.wait(LEAVES_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"{self.name} did not leave: {self.complaints()}") from None
        self._gone()
        if status not in (-signal.SIGTERM, 128 + signal.SIGTERM):
            raise RuntimeError(f"{self.name} left with {status}: {self.complaints()}")

    def _innermost(self) -> int:
        """The process itself, or, where what started it waits for it in another namespace, that one's child."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text() if self._prefix else ""
        return int(children.split()[0]) if children else self.pid

    def has_ended(self) -> bool:
        """Whether its process is gone, though nobody has ended it."""
        return self.process.poll() is not None

    def complaints(self) -> str:
        """The end of what it has written to standard error."""
        return (self._folder / "errors").read_text(errors="replace")[-4000:]

    def _gone(self) -> None:
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def environment(
    store: str, direct: str, path: Path, settings: Mapping[str, object], pace: float, level: int
) -> dict[str, str]:
    """What a worker is told: where Perdure's database is, where the user's own connections go, and how to work."""
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
        worker.DATABASE: store,
        worker.SETTINGS: json.dumps(dict(settings)),
        ledger.LEDGER: str(path),
        program.URL: direct,
        program.PACE: str(pace),
        program.ISOLATION: str(level),
    }


def started_together(workers: list[Worker]) -> None:
    """Start all, then wait for all."""
    for one in workers:
        one.start()
    for one in workers:
        one.wait_until_ready()


def until(is_so: object, seconds: float) -> bool:
    """Look again and again whether it is so, for so long at most."""
    assert callable(is_so)
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
