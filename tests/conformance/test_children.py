"""Runs inside runs: by direct call, by `start`, by queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import Handle, Queue, start, step, with_options, workflow
from tests.conformance.ledger import MOMENT_SECONDS, areplay, await_signal, ran, replay, signals, state_of, until

pytestmark = pytest.mark.usefixtures("app")

family = Queue("conformance children", worker_concurrency=2)


@step
def body(name: str) -> str:
    """It leaves a line."""
    ran.append(name)
    return name


@workflow
def child(name: str) -> str:
    """One step."""
    return body(name).upper()


@workflow
async def achild(name: str) -> str:
    """The async twin."""
    return body(name).upper()


@workflow
def failing_child(name: str) -> str:
    """It fails after its step."""
    raise LookupError(body(name))


@workflow
def waiting_child(name: str) -> str:
    """It sleeps for long."""
    body(name)
    perdure.sleep(3600)
    return name


WAYS: dict[str, Callable[[Any, str], Any]] = {
    "call": lambda function, name: function(name),
    "start": lambda function, name: start(function, name).result(),
    "submit": lambda function, name: family.submit(function, name).result(),
    "step": lambda function, name: start(body, name).result().upper(),
}


@workflow
def parent(way: str) -> list[str]:
    """Two children of one kind."""
    seen = [WAYS[way](child, "a"), WAYS[way](child, "b")]
    replay()
    return seen


@pytest.mark.parametrize("way", WAYS)
def test_a_child_runs_once_whatever_way_it_is_made(way: str) -> None:
    """DBOS, Temporal, Hatchet, Resonate."""
    assert parent(way) == ["A", "B"]
    assert ran == ["a", "b"]


@workflow
def catches(way: str) -> str:
    """A child fails, the parent goes on."""
    try:
        WAYS[way](failing_child, "bad")
    except LookupError as error:
        replay()
        return repr(error)
    return "no error"


@pytest.mark.parametrize("way", ["call", "start", "submit"])
def test_a_childs_error_is_raised_where_it_is_waited_for(way: str) -> None:
    """AWS (sdk-js#217): the same type live and replayed; Temporal wraps it, here it is the error itself."""
    assert catches(way) == "LookupError('bad')"
    assert ran == ["bad"]


@workflow
def ignores_a_failure() -> str:
    """Nobody waits for it."""
    start(failing_child, "ignored")
    seen = child("kept")
    replay()
    return seen


def test_a_child_that_fails_unseen_does_not_fail_its_parent() -> None:
    """Temporal's and DBOS's background children."""
    assert ignores_a_failure() == "KEPT"
    until(lambda: "ignored" in ran)


@workflow
def leaves_a_child(child_id: str) -> str:
    """It ends before its child."""
    with_options(id=child_id).start(outliving, child_id)
    return "ended"


@workflow
def outliving(name: str) -> str:
    """It waits for the test."""
    await_signal(name)
    return name


def test_a_child_outlives_its_parent() -> None:
    """Temporal's parent close policy «abandon», DBOS's only one."""
    assert leaves_a_child("outliving") == "ended"
    signals["outliving"].set()
    assert perdure.handle("outliving").result() == "outliving"


@workflow
def tree(depth: int) -> int:
    """A tree of runs."""
    if depth == 0:
        return 1
    left, right = start(tree, depth - 1), family.submit(tree, depth - 1)
    return left.result() + right.result()


def test_a_workflow_may_call_itself_and_a_narrow_queue_is_no_deadlock() -> None:
    """Celery, Hatchet and Airflow deadlock when parents fill the slots that their children need."""
    assert tree(5) == 32


@workflow
def countdown(depth: int) -> int:
    """A chain of runs, each waiting for the next."""
    return 0 if depth == 0 else 1 + countdown(depth - 1)


def test_a_chain_of_children_may_be_deep() -> None:
    """Sync children run on the parent's thread or on others; neither may run out at this depth."""
    assert countdown(60) == 60


@workflow
def many(count: int) -> int:
    """A fan-out."""
    handles = [family.submit(child, str(number)) for number in range(count)]
    total = sum(int(handle.result()) for handle in handles)
    replay()
    return total


def test_a_fan_out_runs_every_child_once() -> None:
    """All systems; a replay of the parent does not start them again."""
    assert many(200) == sum(range(200))
    assert len(ran) == len(set(ran)) == 200


@workflow
def asks_twice() -> list[str]:
    """The same handle, waited for several times and in another order than started."""
    first, second = start(child, "first"), start(child, "second")
    seen = [second.result(), first.result(), first.result()]
    replay()
    return seen


def test_a_handle_may_be_asked_again_and_in_any_order() -> None:
    """Resonate's promises."""
    assert asks_twice() == ["SECOND", "FIRST", "FIRST"]


@workflow
def fails_amid_children() -> None:
    """It fails while its children wait."""
    with_options(id="orphan").start(waiting_child, "orphan")
    raise ValueError("parent failed")


def test_a_parent_that_fails_leaves_its_children_alone(app: perdure.Perdure) -> None:
    """Only a cancel is handed down (Temporal's policy can end them; DBOS leaves them)."""
    with pytest.raises(ValueError, match="parent failed"):
        fails_amid_children()
    until(lambda: state_of(app, "orphan") == "parked")
    assert perdure.handle("orphan").cancel()


@workflow
def sees_a_cancelled_child(child_id: str) -> str:
    """Somebody cancels the child that it waits for."""
    handle: Handle[str] = with_options(id=child_id).start(waiting_child, child_id)
    try:
        handle.result()
    except perdure.RunCancelledError as error:
        replay()
        return f"cancelled {error.run_id}"
    return "no error"


def test_a_cancelled_child_is_an_error_in_its_parent_which_goes_on(app: perdure.Perdure) -> None:
    """DBOS's awaited-workflow-cancelled error; Temporal (sdk-python#70) took it for the parent's own cancellation."""
    handle = start(sees_a_cancelled_child, "cancelled child")
    until(lambda: state_of(app, "cancelled child") == "parked")
    assert perdure.handle("cancelled child").cancel()
    assert handle.result() == "cancelled cancelled child"


@workflow
async def aparent() -> list[Any]:
    """Async and sync children, gathered."""
    seen: list[Any] = list(
        await asyncio.gather(achild("a"), start(child, "b"), family.submit(achild, "c"), achild("d"))
    )
    await areplay()
    return seen


def test_async_parents_have_children_of_both_kinds_at_once() -> None:
    """DBOS (#551, #688): gathered children got each other's numbers."""
    assert asyncio.run(aparent()) == ["A", "B", "C", "D"]
    assert sorted(ran) == ["a", "b", "c", "d"]


@workflow
async def calls_sync_child() -> str:
    """It would block the loop."""
    return child("blocks")


def test_a_sync_child_cannot_be_called_in_an_async_parent_and_the_error_says_what_to_do() -> None:
    """DBOS (#559) added the same check after deadlocks."""
    with pytest.raises(perdure.UsageError, match=r"await perdure\.start"):
        asyncio.run(calls_sync_child())


@workflow
async def gathers_a_failure() -> list[str]:
    """Siblings of a failing child."""
    seen = await asyncio.gather(achild("x"), start(failing_child, "y"), achild("z"), return_exceptions=True)
    await areplay()
    return [repr(one) for one in seen]


def test_a_gather_with_a_failing_child_gives_the_error_in_its_place() -> None:
    """LangGraph (#976) re-ran the siblings that had succeeded."""
    assert asyncio.run(gathers_a_failure()) == ["'X'", "LookupError('y')", "'Z'"]
    assert sorted(ran) == ["x", "y", "z"]


@step
def starts_a_run(name: str) -> str:
    """A step that starts a run."""
    return start(child, name).run_id


@workflow
def starts_in_a_step() -> str:
    """The run is not its child: the step's outcome is the id."""
    run_id = starts_a_run("from a step")
    replay()
    return perdure.handle(run_id).result()


def test_a_step_may_start_a_run_of_its_own() -> None:
    """DBOS forbids it, Inngest's `step.sendEvent` is it; the run is started once per execution of the body."""
    assert starts_in_a_step() == "FROM A STEP"
    assert ran == ["from a step"]


@workflow
def sleeps_for_long() -> None:
    """It does not end by itself."""
    perdure.sleep(3600)


@workflow
def asks_for_its_childs_error() -> list[str]:
    """Too early, and when there is one."""
    handle = perdure.start(sleeps_for_long)
    seen = []
    try:
        handle.exception(MOMENT_SECONDS)
    except TimeoutError:
        seen.append("too early")
    handle.cancel()
    return [*seen, type(handle.exception()).__name__]


@workflow
async def asks_on_a_loop() -> str:
    """A wait that would stop the loop."""
    return repr(perdure.start(sleeps_for_long).exception())


def test_an_error_of_the_wait_is_not_given_as_the_error_of_the_run() -> None:
    """As `Future.exception`: a timeout is raised, and so is a wrong use."""
    assert asks_for_its_childs_error() == ["too early", "RunCancelledError"]
    with pytest.raises(perdure.UsageError, match="await"):
        asyncio.run(asks_on_a_loop())


@step
def when_told(name: str) -> str:
    """It ends when it may."""
    await_signal(name)
    return body(name)


@workflow
async def waits_beside_a_start_with_a_taken_id(name: str) -> str:
    """One branch waits for a child, the other asks for a run that somebody else made long ago."""
    handle = family.submit(when_told, name)

    async def wait() -> str:
        return await handle

    async def join() -> str:
        await with_options(id=f"{name} of another").astart(body, "other")
        return "joined"

    return "-".join(await asyncio.gather(wait(), join()))


def test_a_run_of_somebody_else_is_no_child_that_has_ended(
    app: perdure.Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polled before its answer, the end of a run whose id was taken counted as a child's, and the parent slept on
    when its own child ended.
    """
    runtime = app._launched()
    append = runtime.journal.append
    with_options(id="told of another").start(body, "other").result()

    def poll_and_append(lane: Any, entry: Any, *given: Any, **options: Any) -> int:
        if entry.run_id == "told of another":
            runtime.ends.poll()
        return append(lane, entry, *given, **options)

    monkeypatch.setattr(runtime.journal, "append", poll_and_append)
    handle = start(waits_beside_a_start_with_a_taken_id, "told")
    until(lambda: state_of(app, handle.run_id) == "parked")
    signals["told"].set()
    assert handle.result(20) == "told-joined"
