"""What the branches of a run with threads share is the same live and on replay: one thread at a time runs its code."""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import perdure
from perdure._engine.background import start_thread
from tests.identity.staging import PATIENCE_SECONDS, begin, launched, look, wait_until

BODIES: Counter[str] = Counter()
REACHED = threading.Event()
LET_GO = threading.Event()
IS_HELD = True


@perdure.step
def quick(tag: str) -> str:
    BODIES[tag] += 1
    return tag


@perdure.step
def slow(tag: str) -> str:
    BODIES[tag] += 1
    time.sleep(0.002)
    return tag


@perdure.step
def told(tag: str, seen: list[str]) -> str:
    BODIES[f"told {tag}"] += 1
    return tag


@perdure.step
def hold(seen: list[str]) -> list[str]:
    """Runs until the process ends, in the first launch of a test."""
    REACHED.set()
    if IS_HELD:
        LET_GO.wait(PATIENCE_SECONDS)
    return seen


@pytest.fixture(autouse=True)
def begin_anew() -> Iterator[None]:
    """No bodies yet."""
    global IS_HELD
    BODIES.clear()
    REACHED.clear()
    LET_GO.clear()
    IS_HELD = True
    yield
    LET_GO.set()


def crunch(turns: int) -> int:
    """Work of the run's own code."""
    return sum(range(turns))


def workers_of_one_list(seen: list[str]) -> None:
    items = [f"i{number}" for number in range(12)]

    def work(name: str) -> None:
        while items:
            item = items.pop(0)
            seen.append(f"{name} took {item}")
            crunch(2000 * len(items))
            told((quick if len(items) % 2 else slow)(item), list(seen))

    with perdure.threads(4) as pool:
        for made in [pool.submit(work, name) for name in "abcd"]:
            made.result()


def more_jobs_than_threads(seen: list[str]) -> None:
    def work(number: int) -> int:
        seen.append(f"{number} begins")
        if number % 3:
            slow(f"s{number}")
        seen.append(f"{number} ends")
        return number

    with perdure.threads(2) as pool:
        seen.extend(str(number) for number in pool.map(work, range(9)))


def nested(seen: list[str]) -> None:
    def inner(name: str) -> str:
        seen.append(f"{name} begins")
        told(slow(name), list(seen))
        return name

    def outer(name: str) -> None:
        with perdure.threads(2) as pool:
            made = [pool.submit(inner, f"{name}{number}") for number in range(3)]
            seen.append(f"{name} made them")
            seen.extend(one.result() for one in made)
        seen.append(f"{name} ends")

    with perdure.threads() as pool:
        made = [pool.submit(outer, name) for name in "xyz"]
        seen.append(quick("own"))
        made[1].result()
        seen.append("second is done")


def joined_at_the_end(seen: list[str]) -> None:
    def work(name: str) -> None:
        for number in range(3):
            seen.append(slow(f"{name}{number}"))

    with perdure.threads() as pool:
        for name in "abc":
            pool.submit(work, name)
        seen.append("all made")
    seen.append("all ended")
    told("end", seen)


CODE: dict[str, Callable[[list[str]], None]] = {
    program.__name__: program for program in (workers_of_one_list, more_jobs_than_threads, nested, joined_at_the_end)
}


def handed_on(seen: list[str]) -> None:
    """Branches that wait for each other by other means than durable calls."""
    todo: queue.Queue[str | None] = queue.Queue()

    def produce() -> None:
        for number in range(5):
            todo.put(slow(f"p{number}"))
        todo.put(None)

    def consume() -> None:
        while (item := todo.get()) is not None:
            quick(f"c {item}")

    with perdure.threads() as pool:
        for made in [pool.submit(consume), pool.submit(produce)]:
            made.result()


CODE["handed_on"] = handed_on


@perdure.workflow
def sharing(program: str) -> list[str]:
    seen: list[str] = []
    CODE[program](seen)
    return hold(seen)


@contextmanager
def busy_threads(count: int) -> Iterator[None]:
    """Threads that want the interpreter's lock all the time."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            crunch(10_000)

    made = [threading.Thread(target=work, daemon=True) for _ in range(count)]
    for thread in made:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in made:
            thread.join()


BUSY = {"quiet": (0, 0), "a busy replay": (0, 3), "busy live": (3, 0)}
CASES = [
    pytest.param(
        program, busy, id=f"{program}-{name}", marks=() if not any(busy) or program == "handed_on" else pytest.mark.long
    )
    for program in CODE
    for name, busy in BUSY.items()
]
"""By default each program is tried where it is quiet, and one beside busy threads."""


@pytest.mark.parametrize(("program", "busy"), CASES)
def test_a_replay_sees_what_was_seen_live(program: str, busy: tuple[int, int], tmp_path: Path) -> None:
    """Whatever the machine does beside it: no reaction is late, for all wait for it."""
    global IS_HELD
    url = str(tmp_path / "p.db")
    with launched(url, replay_patience_seconds=20.0), busy_threads(busy[0]):
        begin(sharing, program)
        assert REACHED.wait(60)
    ran = Counter(BODIES)
    LET_GO.set()
    IS_HELD = False
    with launched(url, replay_patience_seconds=20.0), busy_threads(busy[1]):
        wait_until(lambda: look(url).state in ("succeeded", "parked"))
    assert look(url).state == "succeeded", look(url).reason
    assert ran == BODIES


@perdure.workflow
def made_first() -> list[str]:
    """No branch begins before the workflow waits for one."""
    seen: list[str] = []
    with perdure.threads() as pool:
        for number in range(4):
            pool.submit(lambda number=number: seen.append(f"{number} begins"))
            seen.append(f"made {number}")
    return seen


def test_to_wait_for_a_thread_to_start_is_not_to_wait_for_another_branch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a crowded machine it takes long, and the branches ran beside each other from then on."""

    def start_late(work: Callable[[], None], name: str) -> threading.Thread:
        time.sleep(0.2)
        return start_thread(work, name)

    monkeypatch.setattr("perdure._engine.hosting.threads.pool.start_thread", start_late)
    with launched(str(tmp_path / "p.db")):
        seen = begin(made_first).result(PATIENCE_SECONDS)
    assert seen == [f"made {number}" for number in range(4)] + [f"{number} begins" for number in range(4)]
