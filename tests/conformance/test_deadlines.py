"""Time limits of runs: durable, inherited by children, heard by whatever waits, and undone as a cancelled run is."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import perdure
from perdure import (
    Handle,
    Queue,
    RunCancelledError,
    RunTimeoutError,
    UsageError,
    current,
    start,
    step,
    with_options,
    workflow,
)
from perdure.typing import OVERDUE
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import await_signal, ran, signals, state_of, until
from tests.inside.clock import skip_time

running = functools.partial(perdure.running, **SETTINGS)
narrow = Queue("conformance deadlines", concurrency=1)
AN_HOUR = timedelta(hours=1)
LATER = 2 * 3600.0
"""So far the database's clock is put forward."""


@step
def give_back(name: str, outcome: str) -> None:
    """What undoes an effect."""
    ran.append(f"{name} back")


@step(undo=give_back)
def take(name: str) -> str:
    """An effect."""
    ran.append(name)
    return name


@step
def blocked(name: str) -> float | None:
    """It waits for the test, and then tells by when all is to be over."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return current().deadline


@step
async def never(name: str) -> None:
    """It leaves a line when it is cancelled."""
    signals[f"{name} began"].set()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        ran.append("cancelled body")


@workflow
def sleeps() -> str:
    """It leaves memory for long."""
    take("effect")
    perdure.sleep(90 * 24 * 3600)
    return take("after")


@workflow
async def listens() -> str:
    """It waits for what nobody sends."""
    await perdure.recv("nothing")
    return take("after")


@workflow
def works(name: str) -> str:
    """A body that takes long, and another one."""
    blocked(name)
    return take("after")


@workflow
async def aworks(name: str) -> str:
    """A body that takes for ever, and another one."""
    await never(name)
    return take("after")


@workflow
def tells() -> float | None:
    """By when it is to be over."""
    return current().deadline


@step
def hears(deadline: float | None) -> None:
    """What a body is given of it."""


@workflow
def hands_on() -> bool:
    """By when it is to be over, for what a body calls; it leaves memory."""
    deadline = current().deadline
    hears(deadline)
    perdure.recv()
    return current().deadline == deadline


@workflow
async def ahands_on() -> bool:
    """The same on an event loop."""
    deadline = current().deadline
    hears(deadline)
    await perdure.recv()
    return current().deadline == deadline


@workflow
def family(own: float | None, detached: bool) -> list[Any]:
    """Its own deadline, and what its children say of theirs."""
    options = with_options(timeout=own, detached=detached)
    return [
        current().deadline,
        tells(),
        start(tells).result(),
        options.start(tells).result(),
        start(blocked, "y").result(),
    ]


@workflow
def catches() -> str:
    """A child that is not over in time: its end is an error like any other."""
    child = with_options(timeout=AN_HOUR).start(sleeps)
    signals["child"].set()
    try:
        return str(child.result())
    except RunTimeoutError as error:
        return f"{type(error).__name__} of {error.run_id == child.run_id}"


@workflow
def leaves() -> str:
    """A child that goes on by itself."""
    other = with_options(detached=True, id="other").start(works, "other")
    start(works, "own")
    perdure.sleep(90 * 24 * 3600)
    return other.run_id


def is_overdue(handle: Handle[Any]) -> bool:
    """Whether it says so in every way."""
    with pytest.raises(RunTimeoutError, match="was not over by its deadline") as caught:
        handle.result(20)
    assert isinstance(caught.value, RunCancelledError)
    assert isinstance(caught.value, TimeoutError)
    return caught.value.run_id == handle.run_id and handle.cancelled() and handle.done()


@pytest.mark.parametrize("fn", [sleeps, listens])
def test_a_parked_run_ends_by_its_deadline(url: str, fn: Callable[..., Any]) -> None:
    """Whatever it waits for, and without its code; nothing of what follows runs, and what it did is undone."""
    with running(url) as app:
        handle = with_options(timeout=AN_HOUR).start(fn)
        until(lambda: state_of(app, handle.run_id) == "parked")
        skip_time(url, LATER)
        assert is_overdue(handle)
        assert perdure.runs.get(handle.run_id).run.reason == OVERDUE
        if fn is sleeps:
            perdure.handle(f"{handle.run_id}:undo").result(20)
            assert ran == ["effect", "effect back"]


def test_a_queued_run_ends_without_beginning(url: str) -> None:
    """Its time counts from its submission; what waits before it goes on."""
    with running(url):
        first = narrow.submit(works, "holder")
        await_signal("holder began")
        second = narrow.with_options(timeout=AN_HOUR).submit(works, "queued")
        skip_time(url, LATER)
        assert is_overdue(second)
        signals["holder"].set()
        assert first.result(20) == "after"
        assert ran == ["holder", "after"]


@pytest.mark.parametrize("fn", [works, aworks])
def test_a_run_hears_of_its_deadline_while_it_runs(url: str, fn: Callable[..., Any]) -> None:
    """A coroutine is cancelled where it awaits; of a sync body what follows does not begin. Its value is dropped."""
    with running(url) as app:
        handle = with_options(timeout=AN_HOUR).start(fn, "x")
        await_signal("x began")
        skip_time(url, LATER)
        until(lambda: state_of(app, handle.run_id) in ("cancelling", "cancelled") or handle.done())
        signals["x"].set()
        assert is_overdue(handle)
        assert ran == (["x"] if fn is works else ["cancelled body"])


def test_a_run_whose_worker_is_gone_ends_by_its_deadline(url: str) -> None:
    """Whoever comes next sweeps it, and need not know its function's arguments or code."""
    with running(url) as app:
        handle = with_options(timeout=AN_HOUR, id="left").start(sleeps)
        until(lambda: state_of(app, handle.run_id) == "parked")
    skip_time(url, LATER)
    with running(url, serve=[narrow]):
        assert is_overdue(perdure.handle("left"))


def test_a_child_inherits_the_deadline(url: str) -> None:
    """The earlier of its own and its parent's; a detached one has none but its own."""
    signals["y"].set()
    with running(url):
        soon, far = 1800.0, 7200.0
        own, called, started, sooner, of_step = with_options(timeout=AN_HOUR).start(family, soon, False).result(20)
        assert own == called == started == of_step
        assert sooner == pytest.approx(own - 1800, abs=30)
        own, *_, later, _ = with_options(timeout=AN_HOUR).start(family, far, False).result(20)
        assert later == own
        own, *_, later, _ = with_options(timeout=AN_HOUR).start(family, far, True).result(20)
        assert later == pytest.approx(own + 3600, abs=30)
        assert start(family, None, True).result(20) == [None] * 5


def test_a_deadline_is_a_time(url: str) -> None:
    """Given as such, seen as such; a run that is made after it never begins."""
    with running(url):
        at = datetime.now(UTC) + AN_HOUR
        assert with_options(deadline=at).start(tells).result(20) == pytest.approx(at.timestamp(), abs=0.001)
        assert with_options(deadline=at, timeout=60).start(tells).result(20) < at.timestamp()
        assert is_overdue(narrow.with_options(deadline=datetime.now(UTC) - AN_HOUR).submit(tells))
        assert start(tells).result(20) is None


@pytest.mark.parametrize("fn", [hands_on, ahands_on])
def test_a_replay_sees_the_deadline_that_the_workflow_saw_first(url: str, fn: Callable[[], Any]) -> None:
    """By the database's clock from the beginning: a step that is given it is asked for with the same arguments."""
    with running(url) as app:
        assert start(tells).result(20) is None  # not the first run of all, which is claimed in any case
        options: list[dict[str, Any]] = [{"timeout": AN_HOUR}] * 6 + [{"deadline": datetime.now(UTC) + AN_HOUR}]
        for handle in [with_options(**each).start(fn) for each in options]:
            until(lambda run_id=handle.run_id: state_of(app, run_id) == "parked")
            perdure.send(handle, "go on")
            assert handle.result(20)


def test_a_parent_handles_a_childs_deadline_and_replays_it(url: str) -> None:
    """The same error, live and replayed: the run leaves memory meanwhile."""
    with running(url) as app:
        handle = start(catches)
        await_signal("child")
        until(lambda: state_of(app, handle.run_id) == "parked")
        skip_time(url, LATER)
        assert handle.result(20) == "RunTimeoutError of True"


def test_a_detached_child_outlives_its_parent(url: str) -> None:
    """Cancelled or too late: the detached child goes on, the other one does not."""
    with running(url) as app:
        handle = with_options(timeout=AN_HOUR).start(leaves)
        await_signal("other began")
        await_signal("own began")
        until(lambda: state_of(app, handle.run_id) == "parked")
        skip_time(url, LATER)
        assert is_overdue(handle)
        signals["own"].set()
        signals["other"].set()
        assert perdure.handle("other").result(20) == "after"
        [own] = [run for run in perdure.runs.get(handle.run_id).children if run.run_id != "other"]
        until(lambda: state_of(app, own.run_id) == "cancelled")
        assert sorted(ran) == ["after", "other", "own"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout": 0}, "timeout=0"),
        ({"timeout": -1}, "timeout=-1"),
        ({"timeout": float("nan")}, "timeout=nan"),
        ({"timeout": "1h"}, "timeout='1h'"),
        ({"deadline": 5.0}, "deadline=5.0"),
        ({"deadline": datetime(2030, 1, 1)}, "give a time with a time zone"),
        ({"detached": 1}, "give True or False"),
        ({"deadline": datetime(2030, 1, 1, tzinfo=UTC), "at": datetime(2030, 1, 2, tzinfo=UTC)}, "could never begin"),
    ],
)
def test_a_limit_that_cannot_be_is_refused_where_it_is_given(options: Any, said: str) -> None:
    """Before anything is made, with a message that says which."""
    with pytest.raises(UsageError, match=said):
        with_options(**options)
    with pytest.raises(UsageError, match=said):
        narrow.with_options(**options)
