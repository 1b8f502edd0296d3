"""Dying half-way and coming back: what is the same for both contestants."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time

from benchmarks.program import Order, Tally, Window, answer, measured, start_again

STEPS = 10
LOOK_SECONDS = 0.01


class Progress:
    """Steps wait until all workflows are started; the process kills itself in the step that makes it half."""

    def __init__(self) -> None:
        self._may_step = False
        self._steps = 0
        self._last = sys.maxsize

    def kill_after(self, steps: int) -> None:
        """Die in that step."""
        self._last = max(steps, 1)

    def begin(self) -> None:
        """All workflows are durable: steps may run."""
        self._may_step = True

    async def step(self) -> None:
        """The body of a step. Polls its gate, since contestants may run it on loops of their own."""
        while not self._may_step:  # noqa: ASYNC110  # an event belongs to one loop
            await asyncio.sleep(LOOK_SECONDS)
        self._steps += 1
        if self._steps >= self._last:
            os.kill(os.getpid(), signal.SIGKILL)


def nothing() -> Tally:
    """A tally of what is not counted here."""
    return Tally()


def wait_until_done(order: Order, question: str) -> None:
    """Until the database itself says that every workflow has succeeded."""
    if order.is_postgres:
        import psycopg  # late: a user of SQLite does not load it either, and imports are measured

        with psycopg.connect(order.url, autocommit=True) as postgres:
            while postgres.execute(question).fetchone() != (order.count,):
                time.sleep(LOOK_SECONDS)
        return
    sqlite = sqlite3.connect(order.path, timeout=30, isolation_level=None)
    while sqlite.execute(question).fetchone() != (order.count,):
        time.sleep(LOOK_SECONDS)
    sqlite.close()


def kill_and_restart(module: str, order: Order) -> None:
    """Let the first process die, then measure the second from its start to the line that says all is done."""
    if order.count == 0:
        answer(Window(), 0)
        return
    first = start_again(module, order, "first")
    assert first.returncode == -signal.SIGKILL, f"the first process ended with {first.returncode}"
    with measured(nothing()) as window:
        second = start_again(module, order, "second")
    inside = json.loads(second.stdout.splitlines()[-1])["figures"]
    answer(window, order.count, peak_mb=inside["peak_mb"])
