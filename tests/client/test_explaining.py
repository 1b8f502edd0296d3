"""`explain` says in words why a run does not go on; each reason that there is has its sentence."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest

import perdure
from perdure import Client, Queue

MAY_END = threading.Event()
NARROW = Queue("narrow", concurrency=1)
KEYED = Queue("keyed", key_concurrency=1)
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
        assert "None of the 1 worker serves the queue 'elsewhere'" in str(run.explain())
        client.with_options(queue="narrow", id="unknown").submit("nowhere:f", 1)
        assert "knows nowhere:f" in said(client, "unknown")


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
        ("sleep", "It sleeps for (1 h|59 min)"),
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


def test_what_may_not_begin_yet(client: Client) -> None:
    """A delay, and a run that nobody knows."""
    client.with_options(queue="elsewhere", id="late", delay=7_200).submit("nowhere:f")
    assert re.search("It may begin in (2 h|1 h 59 min)", said(client, "late"))
    with pytest.raises(perdure.RunNotFoundError, match="there is no run nobody"):
        client.runs.explain("nobody")


def wait_for_state(client: Client, run_id: str, state: str) -> None:
    """Until it is in this state."""
    for _ in range(6_000):
        if client.handle(run_id).status() == state:
            return
        threading.Event().wait(0.01)
    raise AssertionError(f"{run_id} is not {state}: {said(client, run_id)}")
