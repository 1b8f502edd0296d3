"""`explain` says in words why a run does not go on; each reason that there is has its sentence."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import perdure
from perdure import Client, Queue

MAY_END = threading.Event()
NARROW = Queue("narrow", concurrency=1)
KEYED = Queue("keyed", key_concurrency=1)
SINGLE = Queue("single", worker_concurrency=1)
SLOW = Queue("slow", rate=(1, 3_600))


@perdure.step(name="explained:hold")
def hold() -> None:
    """It does not end before the test lets it."""
    assert MAY_END.wait(60)


@perdure.workflow(name="explained:waits")
def waits(for_what: str) -> None:
    """It waits for that."""
    if for_what == "message":
        perdure.recv("orders")
    elif for_what == "sleep":
        perdure.sleep(3_600)
    else:
        perdure.with_options(id="child").start(waits, "message").result()


WORKER = """
import sys, time
import perdure
from tests.client.test_explaining import MAY_END
with perdure.running(sys.argv[1], poll_seconds=0.05):
    print("up", flush=True)
    MAY_END.wait(60)
"""


@pytest.fixture(autouse=True)
def _let_go() -> Iterator[None]:
    MAY_END.clear()
    yield
    MAY_END.set()


def said(client: Client, run_id: str) -> str:
    """What is said, as one text."""
    return str(client.runs.explain(run_id))


def test_nobody_is_there_to_take_it(store_url: str, client: Client) -> None:
    """No worker, none that serves the queue, none that knows the function."""
    run = client.with_options(queue="elsewhere", id="r").submit("nowhere:f", 1)
    assert "No worker works on this database" in said(client, "r")
    with perdure.running(store_url, serve=["narrow"]):
        assert "No living worker serves the queue 'elsewhere', of 1: start one" in str(run.explain())
        client.with_options(queue="narrow", id="unknown").submit("nowhere:f", 1)
        assert "No living worker that serves the queue 'narrow' knows nowhere:f, of 1" in said(client, "unknown")


def test_a_full_queue_names_who_holds_its_slots(store_url: str, client: Client) -> None:
    """And a paused one, and how many come before."""
    with perdure.running(store_url, poll_seconds=0.05):
        handles = [NARROW.with_options(id=name).submit(hold) for name in ("a", "b", "c")]
        wait_for_state(client, "a", "held")
        assert "held by" in str(handles[0].explain())
        assert "The queue is full: 1 of at most 1 are executed (a)." in said(client, "c")
        assert "1 of its queue comes before it." in said(client, "c")
        client.queues.pause("narrow")
        assert "The queue 'narrow' is paused" in said(client, "b")
        client.queues.resume("narrow")
        MAY_END.set()
        for handle in handles:
            handle.result(60)
        assert said(client, "a") == "It has ended: succeeded."


def test_who_waits_in_memory_holds_no_slot(store_url: str, client: Client) -> None:
    """It is not named among those that do; and says so, until it goes on: then it waits for a slot."""
    with perdure.running(store_url, poll_seconds=0.05):
        NARROW.with_options(id="waiting").submit(waits, "message")
        wait_for_words(client, "waiting", "All its branches wait: it has given its slot of the queue back.")
        NARROW.with_options(id="a").submit(hold)
        wait_for_state(client, "a", "held")
        NARROW.with_options(id="b").submit(hold)
        assert "The queue is full: 1 of at most 1 are executed (a)." in said(client, "b")
        client.send("waiting", "go on", topic="orders")
        wait_for_words(client, "waiting", "It has begun, and goes on once it has a slot of its queue again.")
        assert "All its branches wait" not in said(client, "waiting")
        full = "The queue is full: 1 of at most 1 are executed (a). 1 that has begun waits for a slot, and comes first."
        assert full in said(client, "b")
        MAY_END.set()


def test_a_full_key_and_a_closed_window(store_url: str, client: Client) -> None:
    """Each says which limit it is, and a window when it opens."""
    with perdure.running(store_url, poll_seconds=0.05):
        for name in ("a", "b"):
            KEYED.with_options(id=name, key="customer").submit(hold)
        for name in ("first", "second"):
            SLOW.with_options(id=name).submit(hold)
        wait_for_state(client, "a", "held")
        wait_for_state(client, "first", "held")
        assert "Its key 'customer' is full: 1 of at most 1 are executed." in said(client, "b")
        assert re.search(r"may start 1 in 1 h, and has: the next begins in (1 h|59 min)", said(client, "second"))
        MAY_END.set()


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("message", "It waits for a message under 'orders'."),
        ("sleep", "It sleeps, or rests between two attempts, for (1 h|59 min)"),
        ("child", "It waits for its children: 1 child is not over."),
    ],
)
def test_a_parked_run_says_what_it_waits_for(store_url: str, client: Client, what: str, sentence: str) -> None:
    """In the words of the program."""
    with perdure.running(store_url, poll_seconds=0.05, park_after_seconds=0):
        perdure.with_options(id="w").start(waits, what)
        wait_for_state(client, "w", "parked")
        assert re.search(sentence, said(client, "w"))
        client.runs.cancel("w")


def test_a_worker_that_is_dead_takes_nothing(store_url: str, client: Client) -> None:
    """Its row stays until another one finds it; it is silent for longer than its lease, and does not count."""
    with perdure.running(store_url, poll_seconds=0.05):
        NARROW.with_options(id="held").submit(hold)
        wait_for_state(client, "held", "held")
        NARROW.with_options(id="behind").submit(hold)
        client.with_options(id="asleep", queue="narrow").submit(waits, "message")
        silence(store_url, 20)
        assert "has not shown that it lives for 20 s; after 30 s another could take over, and none is there" in said(
            client, "held"
        )
        silence(store_url, 40)
        assert "No worker works on this database, and the last was heard of 40 s ago" in said(client, "behind")
        assert "which has not shown that it lives for 40 s, longer than its lease of 30 s." in said(client, "held")
        assert "No other is there to take it over: start one." in said(client, "held")
        MAY_END.set()


@pytest.mark.parametrize("by", ["file", "session"])
def test_a_worker_that_was_killed_is_missed_at_once(store_url: str, client: Client, by: str) -> None:
    """Its lock is free: that of its file on this machine, that of its session with Postgres from any other."""
    if by == "session" and not store_url.startswith("postgres"):
        pytest.skip("a file has no sessions")
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, store_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"up\n"
        client.with_options(id="held", queue="narrow").submit(hold)
        wait_for_state(client, "held", "held")
        client.with_options(id="behind", queue="narrow").submit(hold)
        assert "a body runs there" in said(client, "held")
        if by == "session":  # as if the worker were on another machine
            [found] = client.workers()
            [file] = Path(tempfile.gettempdir(), f"perdure-workers-{os.getuid()}").glob(f"*/{found.worker_id}.lock")
            file.unlink()
        worker.kill()
    wait_for_words(client, "held", "whose lock is free: it has ended, or lost its connection to the database.")
    assert "No other is there to take it over: start one." in said(client, "held")
    assert "No worker works on this database, and the last was heard of" in said(client, "behind")


def test_nobody_has_been_heard_of_for_long(store_url: str, client: Client) -> None:
    """Within a lease a worker may live, and what is said is that it is quiet."""
    with perdure.running(store_url, poll_seconds=0.05):
        handles = [SINGLE.with_options(id=name).submit(hold) for name in ("a", "b")]
        wait_for_state(client, "a", "held")
        silence(store_url, 20)
        assert "But none that would has shown that it lives for 20 s." in said(client, "b")
        MAY_END.set()
        for handle in handles:
            handle.result(60)


def test_what_was_stopped_says_by_whom_and_what_to_do(store_url: str, client: Client) -> None:
    """A pause, of one run and of a function, and an end that was asked for."""
    with perdure.running(store_url, poll_seconds=0.05, park_after_seconds=0):
        client.runs.pause_function("explained:hold")
        NARROW.with_options(id="later").submit(hold)
        assert "`perdure functions resume explained:hold`" in said(client, "later")
        client.runs.resume_function("explained:hold")
        wait_for_state(client, "later", "held")
        client.runs.cancel("later")
        assert client.runs.explain("later").status == client.handle("later").status() == "cancelling"
        perdure.with_options(id="w").start(waits, "message")
        wait_for_state(client, "w", "parked")
        client.runs.pause("w", why="the lift is broken", by="alice")
        assert said(client, "w") == ("It is paused by alice: the lift is broken.\n`perdure runs resume` lets it go on.")
        client.runs.cancel("w")
        MAY_END.set()


def silence(store_url: str, seconds: int) -> None:
    """The workers there were last heard of so long ago; they say that they live each ten seconds."""
    if store_url.startswith("postgres"):
        with psycopg.connect(store_url) as server:
            said_at = "UPDATE perdure.workers SET renewed_at = perdure.now() - make_interval(secs => %s)"
            server.execute(said_at, (seconds,))
        return
    with contextlib.closing(sqlite3.connect(store_url, timeout=30)) as file, file:
        file.execute("UPDATE workers SET renewed_at = (SELECT now FROM clock) - ?", (seconds,))


def test_what_may_not_begin_yet(client: Client) -> None:
    """A delay, and a run that nobody knows."""
    client.with_options(queue="elsewhere", id="late", delay=7_200).submit("nowhere:f")
    assert re.search("It may begin in (2 h|1 h 59 min)", said(client, "late"))
    with pytest.raises(perdure.RunNotFoundError, match="there is no run nobody"):
        client.runs.explain("nobody")


def wait_for_words(client: Client, run_id: str, words: str) -> None:
    """Until it is said."""
    for _ in range(3_000):
        if words in said(client, run_id):
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"it is not said: {said(client, run_id)}")


def wait_for_state(client: Client, run_id: str, state: str) -> None:
    """Until it is in this state."""
    for _ in range(6_000):
        if client.handle(run_id).status() == state:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{run_id} is not {state}: {said(client, run_id)}")
