"""Context variables and tasks: what a run sees of its surroundings, and what it leaves behind there."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.ledger import areplay, await_signal, replay, signals

pytestmark = pytest.mark.usefixtures("sqlite_app")
TENANT = contextvars.ContextVar("TENANT", default="nobody")


@step
def takes_over(tenant: str) -> str:
    """Sets a context variable, as a step that logs in may."""
    was = TENANT.get()
    TENANT.set(tenant)
    return was


@step
async def atakes_over(tenant: str) -> str:
    """The same, with a suspension before and after."""
    await asyncio.sleep(0)
    was = TENANT.get()
    TENANT.set(tenant)
    await asyncio.sleep(0)
    return f"{was} {TENANT.get()}"


@workflow
def sees() -> list[str]:
    """What was there, what a step set, and what it sets itself."""
    seen = [TENANT.get(), takes_over("of the step"), TENANT.get()]
    TENANT.set("of the run")
    return [*seen, takes_over("of the step")]


@workflow
async def asees() -> list[str]:
    """The same, async."""
    seen = [TENANT.get(), await atakes_over("of the step"), TENANT.get()]
    TENANT.set("of the run")
    return [*seen, await atakes_over("of the step")]


def test_a_run_sees_no_context_variables_but_its_own() -> None:
    """Called, started or recovered, sync or async, it sees the same, and its caller sees none of its own."""
    TENANT.set("of the caller")
    own = ["nobody", "nobody", "nobody", "of the run"]
    assert sees() == own
    assert perdure.start(sees).result() == own
    assert perdure.start(sees).result() == own  # on the thread of the one before
    taken = ["nobody", "nobody of the step", "nobody", "of the run of the step"]
    assert asyncio.run(asees()) == taken
    assert perdure.start(asees).result() == taken
    assert TENANT.get() == "of the caller"


@workflow
def remembers() -> str:
    """A step that was replayed set nothing."""
    takes_over("of the step")
    replay()
    return TENANT.get()


def test_what_a_step_sets_is_gone_after_it_as_it_is_on_replay() -> None:
    """Else a run would see it live, and not after a restart."""
    assert remembers() == "nobody"


@step
async def cancels_itself_late() -> str:
    """Errors and cancellations pass through the body's own context."""
    try:
        async with asyncio.timeout(0.001):
            await asyncio.Event().wait()
    except TimeoutError:
        return "late"
    return "never"


@workflow
async def times_out() -> str:
    """A timeout inside a step."""
    return await cancels_itself_late()


def test_a_timeout_inside_a_step_is_the_step_s_own() -> None:
    """It cancels the task, and takes its cancellation back."""
    assert asyncio.run(times_out()) == "late"


@step
async def sends(to: str) -> str:
    """A mail that nobody waits for."""
    await asyncio.Event().wait()
    return to


@workflow
async def signs_up(to: str) -> str:
    """Fires and forgets."""
    task = asyncio.create_task(sends(to))
    await asyncio.sleep(0)
    return "welcome" if not task.done() else "?"


@workflow
async def tidies_up(to: str) -> str:
    """Cancels what it does not wait for."""
    task = asyncio.create_task(sends(to))
    await asyncio.sleep(0)
    task.cancel()
    return "welcome"


def waits_for(signal: str) -> None:
    """In a thread."""
    await_signal(signal)


@workflow
def leaves_a_thread() -> str:
    """Its pool is not waited for."""
    pool = perdure.threads(1)
    pool.submit(waits_for, "go on")
    pool.submit(waits_for, "go on")
    return "done"


@workflow
def waits_for_its_threads() -> str:
    """The same, waited for."""
    with perdure.threads(1) as pool:
        pool.submit(len, "abc")
        pool.submit(len, "abc")
    return "done"


def test_threads_that_a_workflow_leaves_behind_are_warned_of_by_name(warnings: Callable[[], list[str]]) -> None:
    """Also those that wait for a worker."""
    assert leaves_a_thread() == "done"
    signals["go on"].set()
    [warning] = warnings()
    assert "durable calls will fail: waits_for, waits_for." in warning
    assert waits_for_its_threads() == "done"
    assert warnings() == [warning]


async def in_the_background() -> None:
    """Of a step."""
    await asyncio.Event().wait()


@step
async def leaves_a_task() -> str:
    """Fires and forgets, too."""
    leaves_a_task.task = asyncio.create_task(in_the_background())  # type: ignore[attr-defined]
    return "done"


@workflow
async def calls_it() -> str:
    """The task goes on beside it."""
    seen = await leaves_a_task()
    await areplay()
    return seen


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was warned of so far."""
    caplog.set_level(logging.WARNING, "perdure")
    return lambda: [record.getMessage() for record in caplog.records]


def test_tasks_that_a_workflow_leaves_behind_are_warned_of_by_name(warnings: Callable[[], list[str]]) -> None:
    """They are cancelled in the middle of what they do, and the run succeeds all the same."""
    assert asyncio.run(signs_up("ann")) == "welcome"
    [warning] = warnings()
    assert "signs_up has ended and left tasks behind that are cancelled where they are: sends" in warning
    assert asyncio.run(tidies_up("bob")) == "welcome"
    assert warnings() == [warning]


def test_tasks_that_a_step_leaves_behind_are_warned_of_by_name(warnings: Callable[[], list[str]]) -> None:
    """They go on, unrecorded: nobody would make them again."""
    assert asyncio.run(calls_it()) == "done"
    [warning] = warnings()
    assert "leaves_a_task" in warning
    assert "lost with this process: in_the_background" in warning
