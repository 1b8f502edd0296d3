"""A replay that does not fit what is recorded parks the run and says why; mended it goes on, and no body runs twice."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.identity.staging import RUN_ID, begin, launched, look, recorded_names, wait_until, wait_until_parked

BODIES: Counter[str] = Counter()
REACHED = threading.Event()
CODE: dict[str, Callable[[], Any]] = {}
"""The code of `changing`, which a deployment changes."""


@perdure.step
async def first(number: int) -> int:
    BODIES[f"first {number}"] += 1
    return number


@perdure.step
async def second(number: int) -> int:
    BODIES[f"second {number}"] += 1
    return number


@perdure.workflow
async def child(number: int) -> int:
    BODIES[f"child {number}"] += 1
    return number


@perdure.step
async def hold() -> str:
    """Runs until the process ends."""
    REACHED.set()
    await asyncio.Event().wait()
    return "never"


@perdure.step
async def go_on() -> str:
    return "went on"


@perdure.workflow
async def changing() -> Any:
    return await CODE["changing"]()


async def calls(*made: tuple[Callable[..., Any], int]) -> list[int]:
    return [await function(number) for function, number in made]


async def start_child() -> None:
    await perdure.astart(child, 1)


async def branches(*numbers: int) -> None:
    await asyncio.gather(*(calls((first, number)) for number in numbers))


@pytest.fixture(autouse=True)
def begin_anew() -> None:
    """No bodies yet."""
    BODIES.clear()
    REACHED.clear()


CHANGES = {
    "a step is renamed": (lambda: calls((first, 1)), lambda: calls((second, 1)), "0", "first", "second"),
    "an argument is changed": (lambda: calls((first, 1)), lambda: calls((first, 2)), "0", "first", "the same with"),
    "a step is removed": (
        lambda: calls((first, 1), (second, 1)),
        lambda: calls((second, 1)),
        "0",
        "first",
        "second",
    ),
    "the last step is removed": (
        lambda: calls((first, 1), (second, 1)),
        lambda: calls((first, 1)),
        "1",
        "second",
        "nothing",
    ),
    "a step is added": (
        lambda: calls((second, 1)),
        lambda: calls((first, 0), (second, 1)),
        "0",
        "second",
        "first",
    ),
    "steps are swapped": (
        lambda: calls((first, 1), (second, 2)),
        lambda: calls((second, 2), (first, 1)),
        "0",
        "first",
        "second",
    ),
    "a child becomes a step": (lambda: calls((child, 1)), lambda: calls((first, 1)), "0", "child", "first"),
    "a step becomes a child": (lambda: calls((first, 1)), lambda: calls((child, 1)), "0", "first", "child"),
    "a started child is removed": (start_child, lambda: calls(), "0", "child", "nothing"),
    "a sleep becomes a step": (lambda: perdure.sleep(0.001), lambda: calls((first, 1)), "0", "sleep", "first"),
    "a value becomes a step": (lambda: value(), lambda: calls((first, 1)), "0", "now", "first"),
    "a branch is removed": (lambda: branches(1, 2), lambda: branches(), "calls.0/0", "outcome", "call 0 first"),
}


async def value() -> None:
    perdure.now()


async def then(code: Callable[[], Any], last: Callable[[], Any]) -> Any:
    await code()
    return await last()


@pytest.mark.parametrize("change", list(CHANGES))
def test_changed_code_parks_the_run_until_it_is_mended(change: str, tmp_path: Path) -> None:
    """Parked with the difference, readable; whoever waits is told; the old code takes it to its end."""
    url = str(tmp_path / "p.db")
    before, after, key, recorded, asked = CHANGES[change]
    removes = asked == "nothing"
    CODE["changing"] = lambda: then(before, hold)
    with launched(url) as app:
        begin(changing)
        assert REACHED.wait(20)
        wait_until(lambda: before is not start_child or BODIES["child 1"] == 1)  # once its creation is committed
        wait_until(lambda: len(app._launched().held.active) == 1)  # a child that was started has ended
    ran = Counter(BODIES)

    CODE["changing"] = after if removes else lambda: then(after, go_on)
    with launched(url):
        handle = perdure.handle(RUN_ID)
        row = wait_until_parked(url)
        with pytest.raises(perdure.RunStuckError):
            handle.result(20)
    assert row.needs_mend
    assert row.reason is not None
    assert RUN_ID in row.reason
    told, _, told_asked = row.reason.partition("the code now asks for")
    assert f"at call {key}:" in told
    assert recorded in told
    assert asked in told_asked

    CODE["changing"] = lambda: then(before, go_on)
    with launched(url):
        assert perdure.handle(RUN_ID).result(20) == "went on"
    assert ran == BODIES


async def swallow() -> str:
    """Tries everything to do something durable in spite of all."""
    for _ in range(20):
        with suppress(BaseException):
            await first(2)
    with suppress(BaseException):
        async with asyncio.TaskGroup() as group:
            group.create_task(calls((second, 7)))
    with suppress(BaseException):
        perdure.start(child, 7)
    return "swallowed"


def test_user_code_cannot_swallow_a_difference(tmp_path: Path) -> None:
    """No body runs, nothing is recorded and the run does not end, whatever the code catches."""
    url = str(tmp_path / "p.db")
    CODE["changing"] = lambda: then(lambda: calls((first, 1)), hold)
    with launched(url):
        begin(changing)
        assert REACHED.wait(20)
    names, ran = recorded_names(url), Counter(BODIES)

    CODE["changing"] = swallow
    with launched(url) as app:
        wait_until_parked(url)
        wait_until(lambda: not app._launched().held.active)
    assert look(url).state == "parked"
    assert recorded_names(url) == names
    assert ran == BODIES


def test_a_difference_parks_a_run_whose_code_does_not_end(tmp_path: Path) -> None:
    """The claim ends before the code unwinds."""
    url = str(tmp_path / "p.db")
    CODE["changing"] = lambda: then(lambda: calls((first, 1)), hold)
    with launched(url):
        begin(changing)
        assert REACHED.wait(20)

    async def stay() -> None:
        try:
            await first(2)
        finally:
            await asyncio.Event().wait()

    CODE["changing"] = stay
    with launched(url):
        assert wait_until_parked(url).needs_mend


@perdure.step
def sync_first(number: int) -> int:
    BODIES[f"sync {number}"] += 1
    return number


RELEASE = threading.Event()


@perdure.step
def sync_hold() -> None:
    REACHED.set()
    RELEASE.wait(20)


@perdure.workflow
def sync_changing() -> Any:
    return CODE["sync"]()


def test_a_sync_run_is_parked_too(tmp_path: Path) -> None:
    """And cannot swallow it either."""
    url = str(tmp_path / "p.db")
    RELEASE.clear()

    def before() -> str:
        sync_first(1)
        sync_hold()
        return "went on"

    def after() -> None:
        while True:
            try:
                sync_first(2)
            except Exception:  # noqa: S112  # as a careless loop does
                continue

    CODE["sync"] = before
    with launched(url):
        begin(sync_changing)
        assert REACHED.wait(20)
    RELEASE.set()
    CODE["sync"] = after
    with launched(url):
        row = wait_until_parked(url)
    assert row.needs_mend
    assert "sync_first" in (row.reason or "")
    CODE["sync"] = before
    with launched(url):
        assert perdure.handle(RUN_ID).result(20) == "went on"
    assert BODIES == {"sync 1": 1}
