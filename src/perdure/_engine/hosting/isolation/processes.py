"""Processes that run bodies: started by `exec`, never forked; kept for the next body of their module for a while.

A fork of a process with threads, as this one is, can hang; and a server that is forked from would have to stay without
threads itself, whatever the modules of the program start when they are imported. So each is a fresh interpreter, and
what that costs is shared by the bodies that follow each other. One whose body ended otherwise than by returning or
raising runs no other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Pipe, wait
from typing import Final, Protocol

from ...background import start_thread
from .guard import GUARD
from .messages import Ended, FromChild, NotBegun, Request, ToChild, hear_child, send

_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop()); "
    "from perdure._engine.hosting.isolation.child import serve; serve(int(sys.argv.pop()))"
)
LOOK_SECONDS: Final = 0.5
"""How often to look whether a process is still there, where the system tells nobody."""


class Body(Protocol):
    """One attempt, as the process's thread sees it."""

    def heard(self, process: BodyProcess, message: FromChild) -> None:
        """The process says something."""

    def process_ended(self, code: int | OSError) -> None:
        """It has ended, with the exit code that `Popen` gives, before it said how the body ended; or never began."""


class BodyProcess:
    """One of them, with a thread that starts it, hears it and outlives it."""

    def __init__(self, module: str, on_end: Callable[[BodyProcess], None]) -> None:
        self.module = module
        self.is_kept = False
        """Whether it has run a body before."""
        self._on_end = on_end
        self._lock = threading.Lock()
        self._body: Body | None = None
        self._ours, self._theirs = Pipe()
        self._popen: subprocess.Popen[bytes] | None = None
        self._is_doomed = False
        self.has_ended = threading.Event()
        start_thread(self._live, "perdure-body")

    def begin(self, request: Request, body: Body) -> bool:
        """Have it run the body; False where it has ended."""
        with self._lock:
            if self.has_ended.is_set():
                return False
            self._body = body
        with suppress(OSError):  # it ends just now: its thread tells
            self.say(request)
        return True

    def say(self, message: ToChild) -> None:
        """Send it a message. Raises `OSError` where it has ended."""
        send(self._ours, message)

    def kill(self) -> None:
        """End it, with all that it has started, and wait for that."""
        with self._lock:
            self._is_doomed = True
            self._kill_group()
        self.has_ended.wait()

    def _kill_group(self) -> None:
        if self._popen is not None and self._popen.returncode is None:
            with suppress(ProcessLookupError, PermissionError):  # macOS refuses where all of it is dead
                os.killpg(self._popen.pid, signal.SIGKILL)

    def _live(self) -> None:
        code: int | OSError = -signal.SIGKILL
        try:
            popen = self._start()
            GUARD.watch(popen.pid)
            try:
                self._hear(popen)
            finally:
                with self._lock:
                    self._kill_group()  # what it has started ends with it
                    GUARD.forget(popen.pid)
                    code = popen.wait()
        except OSError as error:  # there are too many processes, or files
            code = error
        finally:
            self._ours.close()
            with self._lock:
                self.has_ended.set()
                body, self._body = self._body, None
            self._on_end(self)
            if body is not None:
                body.process_ended(code)

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", _BOOT, str(self._theirs.fileno()), json.dumps(sys.path)]
        with self._theirs:
            popen = subprocess.Popen(  # noqa: S603  # our own interpreter
                command, stdin=subprocess.DEVNULL, pass_fds=[self._theirs.fileno()], start_new_session=True
            )
        with self._lock:
            self._popen = popen
            if self._is_doomed:
                self._kill_group()
        return popen

    def _hear(self, popen: subprocess.Popen[bytes]) -> None:
        """Until it has ended. The end of its pipe is not enough: a fork of it may hold that."""
        exit_told = _exit_of(popen)
        try:
            while True:
                ready = wait([self._ours] if exit_told is None else [self._ours, exit_told], LOOK_SECONDS)
                if self._ours in ready:
                    try:
                        message = hear_child(self._ours)
                    except (EOFError, OSError):
                        return
                    self._pass_on(message)
                elif exit_told in ready if exit_told is not None else _is_over(popen):
                    return
        finally:
            if exit_told is not None:
                os.close(exit_told)

    def _pass_on(self, message: FromChild) -> None:
        body = self._body
        if isinstance(message, Ended | NotBegun):
            self.is_kept = isinstance(message, Ended) and not message.is_spent
            self._body = None
        if body is not None:
            body.heard(self, message)


def _exit_of(popen: subprocess.Popen[bytes]) -> int | None:
    """What tells of its exit, where the system has such a thing."""
    if not hasattr(os, "pidfd_open"):
        return None
    with suppress(OSError):
        descriptor: int = os.pidfd_open(popen.pid)
        return descriptor
    return None


def _is_over(popen: subprocess.Popen[bytes]) -> bool:
    """Looks without taking the exit code, which frees the number."""
    with suppress(ChildProcessError):
        return os.waitid(os.P_PID, popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return True


class Processes:
    """Those of this process that run nothing now, by module; the last one that ran is taken first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: defaultdict[tuple[int, str], list[BodyProcess]] = defaultdict(list)
        """By our process too: what a forked child has inherited is its parent's."""

    def take(self, module: str) -> BodyProcess:
        """One for a body of this module; a fresh one unless one waits."""
        with self._lock:
            idle = self._idle[os.getpid(), module]
            if idle:
                return idle.pop()
        return BodyProcess(module, self._forget)

    def give_back(self, process: BodyProcess) -> None:
        """It has run its body to the end."""
        if not process.is_kept:
            process.kill()
            return
        with self._lock:
            if not process.has_ended.is_set():
                self._idle[os.getpid(), process.module].append(process)

    def _forget(self, process: BodyProcess) -> None:
        with self._lock:
            idle = self._idle[os.getpid(), process.module]
            if process in idle:
                idle.remove(process)


PROCESSES: Final = Processes()
