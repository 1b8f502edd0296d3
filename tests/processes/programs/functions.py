"""Workflows and steps that say when they begin and wait until they are let go: tests choose every moment."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections import defaultdict
from typing import Literal

import perdure
from perdure import Queue, idempotency_key, step, workflow
from perdure._api.app import current_runtime
from tests.processes.ledger import note

PATIENCE_SECONDS = 60.0

one = Queue("one", worker_concurrency=1)
two = Queue("two", worker_concurrency=2)

began: defaultdict[str, threading.Event] = defaultdict(threading.Event)
may_end: defaultdict[str, threading.Event] = defaultdict(threading.Event)
"""By the name that the body was given. Another process has its own."""


def wait_for(event: threading.Event) -> None:
    """Wait; a test that never gives the signal must not hang.

    In short pieces: Python sees a SIGINT that comes in the moment before a wait begins only when that wait ends.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while not event.wait(0.05):
        if time.monotonic() > until:
            raise TimeoutError("nobody gave the signal")


def wait_for_look(times: int = 2) -> None:
    """Wait until this process has looked so often at the locks of all workers; the last look began after the call."""
    line = current_runtime().worker.line
    for _ in range(times):
        before = line._sessions_at
        while line._sessions_at == before:
            time.sleep(0.01)


@step
def block(name: str) -> str:
    """Begin, and wait until `may_end[name]` is set."""
    note("body", idempotency_key(), name)
    began[name].set()
    wait_for(may_end[name])
    return name


@step
async def ablock(name: str) -> str:
    """The same without blocking the loop."""
    note("body", idempotency_key(), name)
    began[name].set()
    while not may_end[name].is_set():  # noqa: ASYNC110  # the test sets it from another thread
        await asyncio.sleep(0.005)
    return name


@step
def mark(name: str) -> str:
    """A body that only leaves its line."""
    note("body", idempotency_key(), name)
    return name


@workflow
def hold(name: str) -> str:
    """One step that waits, one after it."""
    return mark(block(name))


@workflow
async def ahold(name: str) -> str:
    """The same, async."""
    return mark(await ablock(name))


@workflow
def family(names: list[str]) -> list[str]:
    """Children on a queue of two, which have children of their own kind on the default queue."""
    handles = [two.submit(middle, name) for name in names]
    began["family"].set()
    return [handle.result() for handle in handles]


@workflow
def middle(name: str) -> str:
    """Between the family and its grandchildren."""
    return perdure.start(hold, name).result()


@workflow
async def afamily(names: list[str]) -> list[str]:
    """The same, async."""
    handles = [two.submit(amiddle, name) for name in names]
    began["family"].set()
    return list(await asyncio.gather(*handles))


@workflow
async def amiddle(name: str) -> str:
    """Between the async family and its grandchildren."""
    return await perdure.start(ahold, name)


@workflow
def nap(name: str, seconds: float) -> str:
    """A step, a durable sleep, a step."""
    mark(name)
    perdure.sleep(seconds)
    return mark(name + " awake")


@workflow
async def anap(name: str, seconds: float) -> str:
    """The same, async."""
    mark(name)
    await perdure.sleep(seconds)
    return mark(name + " awake")


@step(max_attempts=3)
def poison(how: Literal["kill", "exit", "sys.exit"]) -> None:
    """End the process that runs it."""
    note("body", idempotency_key(), how)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        os._exit(3)
    sys.exit(3)


@workflow(max_attempts=3)
def poisoned(how: Literal["kill", "exit", "sys.exit"]) -> None:
    """A workflow with such a step."""
    poison(how)


@workflow(max_attempts=3)
def mother_of_poison(how: Literal["kill", "exit", "sys.exit"]) -> str:
    """It only waits for a child that ends its worker."""
    try:
        perdure.start(poisoned, how).result()
    except perdure.RunDeadError:
        return "outlived it"
    return "never"


@step(max_attempts=3)
def innocent(name: str) -> str:
    """A neighbour that is long at work, and ends only where nobody kills it."""
    note("body", idempotency_key(), name)
    began[name].set()
    wait_for(may_end[name])
    return name


@workflow(max_attempts=3)
def many_naps(naps: int) -> int:
    """It leaves memory more often than it may be attempted."""
    for _ in range(naps):
        perdure.sleep(0.05)
    return naps


@step
async def answer(name: str) -> str:
    """A body that can be replayed wrong."""
    await asyncio.sleep(0)
    return name


@workflow
def small(name: str) -> str:
    """A child with a value."""
    return name


@workflow
async def remember(name: str) -> str:
    """One record of every kind before the step that waits."""
    perdure.uuid4()
    await perdure.sleep(0.0)
    first, second = await asyncio.gather(answer(name), perdure.start(small, name))
    assert first == second == name
    return mark(await ablock(name))


@workflow
def hear() -> str:
    """Wait for a message."""
    began["hear"].set()
    said: str = perdure.recv(type=str)
    return said
