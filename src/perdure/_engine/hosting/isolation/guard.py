"""The guard: a small process that outlives this one by a moment, and kills what runs bodies for it.

A body that goes on after its worker has died would act beside the next attempt. The end of a pipe tells its own process
so, but code that keeps the interpreter's lock hears nothing, and programs that a body has started neither. So somebody
else holds the end of a pipe, too, and the numbers of the groups of processes. (Linux could send a signal at a parent's
death; it would reach neither those programs, nor anybody on other systems.)
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

LOOK_SECONDS: Final = 0.5
"""So often it looks whether its parent is still there: a fork of that one may hold the pipe open."""


class Guard:
    """This process's end. The guard is started with the first body, and anew where it was killed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = self._pipe = -1
        self._groups: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    def watch(self, group: int) -> None:
        """From here on the group ends with this process."""
        with self._lock:
            if self._owner != os.getpid():  # what a forked child has inherited is its parent's
                if self._pipe >= 0:
                    os.close(self._pipe)
                self._owner, self._pipe, self._groups = os.getpid(), -1, set()
            self._groups.add(group)
            self._say(f"+{group}\n")

    def forget(self, group: int) -> None:
        """It has ended; its number may soon be another's."""
        with self._lock:
            if group in self._groups and self._owner == os.getpid():
                self._groups.discard(group)
                self._say(f"-{group}\n")

    def _say(self, line: str) -> None:
        if self._pipe >= 0:
            with suppress(OSError):
                os.write(self._pipe, line.encode())
                return
            os.close(self._pipe)  # it was killed
            self._pipe = -1
        if self._groups:
            self._start()
            os.write(self._pipe, "".join(f"+{group}\n" for group in self._groups).encode())

    def _start(self) -> None:
        theirs, ours = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603  # this file
                [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(theirs), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs],
                start_new_session=True,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._pipe = ours


GUARD: Final = Guard()


def stand(pipe: int, parent: int) -> None:
    """In the guard: until the parent is gone, then end what is left of it."""
    groups: set[int] = set()
    rest = b""
    while os.getppid() == parent:
        if not select.select([pipe], [], [], LOOK_SECONDS)[0]:
            continue
        told = os.read(pipe, 65_536)
        if not told:
            break
        *lines, rest = (rest + told).split(b"\n")
        for line in lines:
            (groups.add if line[:1] == b"+" else groups.discard)(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    stand(int(sys.argv[1]), int(sys.argv[2]))
