"""Starting runs: ids that make a start idempotent, handles, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, as_completed, wait
from typing import Any

import pytest

import perdure
from perdure import start, step, with_options, workflow
from tests.conformance.ledger import areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")


@step
def body(name: str, extra: int = 0) -> str:
    """It leaves a line."""
    ran.append(name)
    return f"{name} {extra}"


@workflow
def job(name: str, extra: int = 0) -> str:
    """One step."""
    return body(name, extra)


@workflow
def other_job(name: str, extra: int = 0) -> str:
    """Of the same signature."""
    return body(name, extra)


@workflow
def blocked(name: str) -> str:
    """It waits for the test."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return name


@workflow
def failing(name: str) -> None:
    """It fails."""
    ran.append(name)
    raise ValueError(name)


@workflow
def sleeping(name: str) -> str:
    """It sleeps for long."""
    ran.append(name)
    perdure.sleep(3600)
    return name


def test_an_id_of_a_running_run_gives_that_run() -> None:
    """DBOS, Temporal, Restate, Resonate: the id is the idempotency key."""
    first = with_options(id="running").start(blocked, "running")
    await_signal("running began")
    second = with_options(id="running").start(blocked, "running")
    signals["running"].set()
    assert first.result() == second.result() == "running"
    assert ran == ["running"]


def test_an_id_of_a_finished_run_gives_its_value_and_runs_nothing() -> None:
    """DBOS and Restate; Temporal by its id reuse policy."""
    assert with_options(id="finished").start(job, "finished").result() == "finished 0"
    assert with_options(id="finished").start(job, "finished").result() == "finished 0"
    assert ran == ["finished"]


def test_an_id_of_a_failed_run_gives_its_error_and_does_not_try_again() -> None:
    """DBOS: an error is an outcome; a retry policy is the place for another try."""
    for _ in range(2):
        with pytest.raises(ValueError, match="failed"):
            with_options(id="failed").start(failing, "failed").result()
    assert ran == ["failed"]


def test_an_id_of_a_cancelled_run_gives_the_cancellation() -> None:
    """DBOS; Hatchet would start it anew."""
    handle = with_options(id="cancelled").start(sleeping, "cancelled")
    until(lambda: ran)
    assert handle.cancel()
    for again in (handle, with_options(id="cancelled").start(sleeping, "cancelled")):
        with pytest.raises(perdure.RunCancelledError):
            again.result()
    assert set(ran) == {"cancelled"}


@pytest.mark.parametrize("again", [(job, ("two",), {}), (job, ("one",), {"extra": 1}), (other_job, ("one",), {})])
def test_an_id_with_other_work_is_refused_and_names_both(again: tuple[Any, tuple[Any, ...], dict[str, Any]]) -> None:
    """DBOS's conflicting-workflow error; most compare the name only, here the arguments count too."""
    function, args, kwargs = again
    with_options(id="other work").start(job, "one").result()
    with pytest.raises(perdure.RunExistsError, match="other work") as caught:
        with_options(id="other work").start(function, *args, **kwargs)
    assert caught.value.run_id == "other work"


def test_the_same_arguments_passed_in_another_way_are_the_same_work() -> None:
    """By position, by name: the fingerprint is of the bound call."""
    assert with_options(id="bound").start(job, "bound", 5).result() == "bound 5"
    assert with_options(id="bound").start(job, "bound", 5).result() == "bound 5"
    assert with_options(id="bound").start(job, extra=5, name="bound").result() == "bound 5"
    assert ran == ["bound"]


def test_one_id_started_at_once_by_many_is_one_run() -> None:
    """The race of two web requests with one idempotency key (Stripe; DBOS's concurrency tests)."""
    barrier = threading.Barrier(8)

    def go(_: int) -> str:
        barrier.wait()
        return with_options(id="raced").start(job, "raced").result()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(go, range(8))) == {"raced 0"}
    assert ran == ["raced"]


def test_one_id_started_at_once_with_other_arguments_is_one_run_and_errors() -> None:
    """Whoever comes first wins; nobody is given the other's result."""
    barrier = threading.Barrier(4)

    def go(number: int) -> str:
        barrier.wait()
        try:
            return with_options(id="contested").start(job, "contested", number).result()
        except perdure.RunExistsError:
            return "refused"

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(go, range(4)))
    assert seen.count("refused") == 3
    assert ran == ["contested"]


@pytest.mark.parametrize("run_id", ["", "a\0b", "line\nbreak", "x" * 501, 7, b"bytes"], ids=repr)
def test_an_id_that_cannot_be_one_is_refused(run_id: Any) -> None:
    """Temporal limits ids too; a NUL would reach the database (Postgres refuses it)."""
    with pytest.raises(perdure.UsageError, match="id="):
        with_options(id=run_id)


def test_an_id_may_be_any_printable_text() -> None:
    """Ids are order numbers, addresses, paths."""
    run_id = "Bestellung №7/ä'\"%s {x} \N{SNOWMAN}" + "x" * 300
    assert with_options(id=run_id).start(job, "id").result() == "id 0"
    assert perdure.handle(run_id).result() == "id 0"


def test_a_handle_is_had_by_id_and_an_unknown_id_is_an_error() -> None:
    """DBOS `retrieve_workflow`, Temporal `get_workflow_handle`: a typing error must not wait for ever."""
    with pytest.raises(perdure.RunNotFoundError, match="no such") as caught:
        perdure.handle("no such")
    assert caught.value.run_id == "no such"


@workflow
async def finds(run_id: str) -> str:
    """Another run, the first time and again."""
    found = await perdure.ahandle(run_id)
    value: str = await found
    await areplay()
    return value + found.run_id


def test_a_run_is_found_from_a_loop() -> None:
    """As `handle` does it, and the loop goes on; in a run, too."""
    with_options(id="found").start(job, "a").result(20)

    async def find() -> str:
        with pytest.raises(perdure.RunNotFoundError):
            await perdure.ahandle("no such")
        value: str = await (await perdure.ahandle("found"))
        return value

    assert asyncio.run(find()) == "a 0"
    assert start(finds, "found").result(20) == "a 0found"


@pytest.mark.parametrize("delay", [-1, float("nan"), float("inf"), 1e12], ids=repr)
def test_a_delay_that_cannot_be_is_refused(delay: float) -> None:
    """dramatiq and Celery take a negative one for now, or for never."""
    with pytest.raises(perdure.UsageError, match="delay"):
        with_options(delay=delay)


def test_arguments_that_cannot_be_stored_are_refused_and_start_nothing() -> None:
    """DBOS (#435): said at the start, to whom it concerns."""
    with pytest.raises(perdure.SerializationError, match="job"):
        with_options(id="unstorable").start(job, object())
    with pytest.raises(perdure.RunNotFoundError):
        perdure.handle("unstorable")


def test_a_wrong_call_is_a_type_error_at_the_start() -> None:
    """Celery's typed calls; not a failed run later."""
    with pytest.raises(TypeError, match="job"):
        start(job)
    with pytest.raises(TypeError, match="job"):
        start(job, "a", wrong=1)


@pytest.mark.parametrize(
    "function",
    [len, lambda: 1, "name", None, job.__perdure__],  # type: ignore[attr-defined]
    ids=["builtin", "lambda", "text", "none", "definition"],
)
def test_only_workflows_and_steps_can_be_started(function: Callable[..., Any]) -> None:
    """With the mend in the message."""
    with pytest.raises(perdure.NotDurableError, match=r"@perdure\.workflow"):
        start(function)


def test_a_step_can_be_started_by_itself() -> None:
    """DBOS enqueues steps; Absurd's tasks have at least one."""
    assert start(body, "alone", extra=2).result() == "alone 2"


def test_a_handle_is_a_future() -> None:
    """Results, errors, callbacks, waits, time limits: as of `concurrent.futures`."""
    good, bad = start(job, "good"), start(failing, "bad")
    assert {good, bad} == set(as_completed([good, bad], timeout=20))
    assert good.done()
    assert (good.result(), good.result(), good.exception()) == ("good 0", "good 0", None)
    assert isinstance(bad.exception(), ValueError)
    called: list[Any] = []
    good.add_done_callback(called.append)
    assert called == [good]
    slow = start(blocked, "slow")
    assert not wait([slow], timeout=0.01).done
    with pytest.raises(TimeoutError):
        slow.result(0.01)
    slow.add_done_callback(lambda handle: signals["called"].set())
    signals["slow"].set()
    assert wait([slow, good], return_when=FIRST_COMPLETED).done
    await_signal("called")


def test_who_stops_waiting_does_not_stop_the_run() -> None:
    """A client that hangs up: Temporal, Restate and DBOS keep waiter and run apart."""

    async def hang_up() -> None:
        handle = await perdure.astart(blocked, "hung up")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(handle, 0.01)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.wrap_future(handle), 0.01)
        task = asyncio.create_task(handle.wait())
        await asyncio.sleep(0)
        task.cancel()
        signals["hung up"].set()
        assert await handle == "hung up"

    asyncio.run(hang_up())


@workflow
def starts_by_id(child_id: str) -> list[str]:
    """A run that somebody else may have started, and one of its own twice."""
    shared = with_options(id=child_id).start(job, "shared")
    again = with_options(id=child_id).start(job, "shared")
    seen = [shared.result(), again.result(), start(job, "own").result()]
    replay()
    return seen


def test_an_id_works_inside_a_run_and_at_its_replay() -> None:
    """Two parents that share a child by its id (DBOS, Resonate)."""
    with_options(id="shared child").start(job, "shared").result()
    assert starts_by_id("shared child") == ["shared 0", "shared 0", "own 0"]
    assert starts_by_id("shared child") == ["shared 0", "shared 0", "own 0"]
    assert sorted(ran) == ["own", "own", "shared"]


@workflow
def starts_a_taken_id() -> str:
    """It is told, and goes on."""
    try:
        with_options(id="taken").start(job, "mine")
    except perdure.RunExistsError as error:
        replay()
        return error.run_id
    return ""


def test_a_taken_id_inside_a_run_is_an_error_there() -> None:
    """And the run is not harmed by it."""
    with_options(id="taken").start(job, "yours").result()
    assert starts_a_taken_id() == "taken"


@workflow
def starts_one_id(name: str) -> str:
    """Its first call, in every run of it."""
    try:
        return with_options(id="first come").start(job, name).result()
    except perdure.RunExistsError:
        return "refused"


def test_two_runs_that_start_one_id_by_the_same_call_are_told_apart() -> None:
    """What the second hands in is not taken for what the first one did, sent again."""
    assert [starts_one_id("one"), starts_one_id("two"), starts_one_id("one")] == ["one 0", "refused", "one 0"]
    assert ran == ["one"]


def test_a_delayed_run_does_not_begin_before_its_time(app: perdure.Perdure) -> None:
    """dramatiq (#479): a delay is at least that long. Cancelled before, it never begins."""
    handle = with_options(id="delayed", delay=3600).start(job, "delayed")
    assert state_of(app, "delayed") == "ready"
    assert handle.cancel()
    with pytest.raises(perdure.RunCancelledError):
        handle.result()
    assert with_options(delay=0.05).start(job, "soon").result() == "soon 0"
    assert ran == ["soon"]


@step
def named_work(name: str) -> str:
    """What is started."""
    ran.append(name)
    return name


@workflow
async def starts_by_id_on_a_loop(name: str) -> list[str]:
    """A start that has to wait for the database, beside other work, and once more from the top."""

    async def start_named() -> str:
        return await (await perdure.with_options(id=f"{name} by id").astart(named_work, name))

    signals["begun"].set()
    await_signal("database is busy")
    task = asyncio.create_task(start_named())
    for _ in range(10):
        await asyncio.sleep(0)
    signals["loop goes on"].set()
    seen = [await task, await neighbour(name), *await asyncio.gather(start_named(), neighbour(name))]
    await areplay()
    return seen


@step
async def neighbour(name: str) -> str:
    """Beside it."""
    return f"{name} beside"


def test_astart_inside_a_run_does_not_stop_the_loop_while_it_waits(app: perdure.Perdure) -> None:
    """Whether the id is taken, only the database knows; `start` has to block for that, `astart` must not."""
    assert app._runtime is not None
    handle = perdure.start(starts_by_id_on_a_loop, "patient")
    await_signal("begun")
    with app._runtime.journal.turn():
        signals["database is busy"].set()
        await_signal("loop goes on")
    assert handle.result() == ["patient", "patient beside"] * 2
    assert ran == ["patient"]


@workflow
async def starts_another(name: str) -> str:
    """An id that is somebody else's."""
    await perdure.with_options(id="taken by another").astart(named_work, "another")
    try:
        await perdure.with_options(id="taken by another").astart(named_work, name)
    except perdure.RunExistsError as error:
        return error.run_id
    return "nobody noticed"


def test_astart_inside_a_run_says_that_an_id_is_taken() -> None:
    """At the call, as `start` does."""
    assert asyncio.run(starts_another("me")) == "taken by another"
