"""What the workers execute: an order, sync and async: plain steps, one in a transaction, and a child on the queue."""

from __future__ import annotations

import asyncio
import os
import random
import time

import psycopg

import perdure
from perdure import Queue, Retry, Transactions, step, workflow

from .ledger import BODY, CLOSED, END, ENTRY, note
from .statements import statement

URL, PACE, ISOLATION = "PERDURE_CHAOS_DATABASE", "PERDURE_CHAOS_PACE", "PERDURE_CHAOS_ISOLATION"
OWNERS = 64
# A connection of the user's that breaks is the body's error, as everywhere.
ON_BROKEN = Retry(attempts=1000, initial_seconds=0.05, factor=1.5, max_seconds=0.5)
queue = Queue("chaos", worker_concurrency=4)


def begin(kind: str, seen: list[str]) -> str:
    """Note the body that runs here."""
    run_id = str(perdure.current().run_id)
    return note(kind, run_id, perdure.idempotency_key().removeprefix(f"{run_id}:"), seen)


def pause() -> float:
    """For how long a body works: a different time in each, so that faults hit all places."""
    return random.uniform(0.0, 2.0) * float(os.environ.get(PACE, "0.01"))


def connect() -> psycopg.Connection[tuple[object, ...]]:
    """A connection of the user's own, at the isolation level of this process."""
    connection = psycopg.connect(os.environ[URL])
    connection.isolation_level = psycopg.IsolationLevel(int(os.environ.get(ISOLATION, "2")))
    return connection


async def aconnect() -> psycopg.AsyncConnection[tuple[object, ...]]:
    """The same on an event loop."""
    connection = await psycopg.AsyncConnection.connect(os.environ[URL])
    await connection.set_isolation_level(psycopg.IsolationLevel(int(os.environ.get(ISOLATION, "2"))))
    return connection


entries, aentries = Transactions(connect), Transactions(aconnect)


@step
def work(number: int, seen: list[str]) -> str:
    """A body with an effect: its line."""
    token = begin(BODY, seen)
    time.sleep(pause())
    return token


@step
async def awork(number: int, seen: list[str]) -> str:
    """The same on an event loop."""
    token = begin(BODY, seen)
    await asyncio.sleep(pause())
    return token


@entries.step(retries=ON_BROKEN)  # type: ignore[untyped-decorator]  # callers leave the connection out
def enter(connection: psycopg.Connection, number: int, seen: list[str]) -> str:
    """Two rows of the user's that belong together."""
    token = begin(ENTRY, seen)
    connection.execute(statement("enter"), [perdure.current().run_id, token])
    time.sleep(pause())
    connection.execute(statement("raise"), [number % OWNERS])
    note(CLOSED, "-", "-", [token])
    return token


@aentries.step(retries=ON_BROKEN)  # type: ignore[untyped-decorator]  # as above
async def aenter(connection: psycopg.AsyncConnection, number: int, seen: list[str]) -> str:
    """The same on an event loop."""
    token = begin(ENTRY, seen)
    await connection.execute(statement("enter"), [perdure.current().run_id, token])
    await asyncio.sleep(pause())
    await connection.execute(statement("raise"), [number % OWNERS])
    note(CLOSED, "-", "-", [token])
    return token


@workflow
def part(number: int) -> list[str]:
    """A child."""
    return ended([work(number, [])])


@workflow
def order(number: int) -> list[str]:
    """With threads."""
    seen = [work(number, [])]
    seen.append(enter(number, list(seen)))
    seen += queue.submit(part, number).result()[:1]
    seen.append(work(number, list(seen)))
    return ended(seen)


@workflow
async def aorder(number: int) -> list[str]:
    """On an event loop."""
    seen = [await awork(number, [])]
    seen.append(await aenter(number, list(seen)))
    seen += (await (await queue.asubmit(part, number)))[:1]
    seen.append(await awork(number, list(seen)))
    return ended(seen)


def ended(seen: list[str]) -> list[str]:
    """What a run returns: the outcomes that it has seen, and last a token of this very end."""
    return [*seen, note(END, str(perdure.current().run_id), "-", seen)]
