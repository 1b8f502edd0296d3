"""What a life of a program leaves outside the database: one line for every body and every value seen. And its death.

Each line is one write to a file that outlives the process: `[life, run, what, ...]` as JSON. `what` is `start` (the
workflow's code begins, or begins again), `begin` and `end` of a body (idempotency key, tag, value) or `seen` (a value
that has reached the workflow's code).
"""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import perdure

HARMLESS = {
    "renew",
    "pulse",
    "close",
    "abandon",
    "all",
    "row",
    "checkpoints",
    "at_once",
    "migrate",
    "join",
    "leave",
}
"""What a store is asked by the clock, or around a life and not in it."""


LEAVES = "leaves"
"""The note of a process that begins to leave. What the code of its runs sees from then on may be that."""
HOLD_SECONDS = 0.02
"""So long a boundary lasts at which the process begins to leave: what comes to be over meanwhile is over at once."""


class Death:
    """Ends this process at its nth boundary of a kind; 0: never.

    `store`: before and after each question to the store that may write, so before and after every commit.
    `note`: when a body begins or ends, or a value is seen.
    """

    def __init__(self) -> None:
        self.kind = "store"
        self.at = 0
        self.how = "kill"
        """`kill`: SIGKILL. The others are graceful: `term`, SIGTERM; `stop`, `perdure.shutdown()`; `leave`, the end of
        the block that has launched.
        """
        self.counted = {"store": 0, "note": 0}
        self.leave: Callable[[], object] = bool
        """How the block is told to end."""
        self.stopping: threading.Thread | None = None

    def tick(self, kind: str) -> None:
        """One boundary more. Nothing of this process, no thread and no `finally`, goes on after it was killed."""
        self.counted[kind] += 1
        if kind != self.kind or self.counted[kind] != self.at:
            return
        if self.how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        os.write(_file, (json.dumps([_life, "", LEAVES]) + "\n").encode())
        if self.how == "term":
            os.kill(os.getpid(), signal.SIGTERM)
        elif self.how == "leave":
            self.leave()
        else:
            self.stopping = threading.Thread(target=perdure.shutdown)
            self.stopping.start()
            time.sleep(HOLD_SECONDS)

    @property
    def has_struck(self) -> bool:
        """Whether it came to that boundary."""
        return 0 < self.at <= self.counted[self.kind]


DEATH = Death()
_file = -1
_life = 0


def open_notes(path: str, life: int) -> None:
    """Write to this file from now on."""
    global _file, _life
    _file, _life = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600), life


def note(run: str, what: str, *words: object) -> None:
    """Add a line, whole, also when other threads write and when the process is killed. Without a file: nothing."""
    if _file >= 0:
        os.write(_file, (json.dumps([_life, run, what, *words]) + "\n").encode())
        DEATH.tick("note")


def watch_store(store: Any) -> None:
    """Make every public method of the store a boundary: whichever methods it has, so that none can be forgotten."""
    for part in (store, store.workers, store.runs, store.cancels, store.mending):
        for name, method in list(vars(type(part)).items()):
            if callable(method) and not name.startswith("_") and name not in HARMLESS:
                setattr(type(part), name, _bounded(method))


def _bounded(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        DEATH.tick("store")
        answer = method(*args, **kwargs)
        DEATH.tick("store")
        return answer

    return bounded
