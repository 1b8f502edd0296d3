"""What the futures API tells of a run at some moment is refused in a run, and bad input everywhere."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import Perdure, Queue, UsageError, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("app")

wide = Queue("several, refused", worker_concurrency=8)


@step
def passed(number: int) -> int:
    """It ends at once."""
    return number


REFUSED: dict[str, Callable[[perdure.Handle[Any]], Any]] = {
    "done": lambda handle: handle.done(),
    "running": lambda handle: handle.running(),
    "cancelled": lambda handle: handle.cancelled(),
    "callback": lambda handle: handle.add_done_callback(print),
    "wait": lambda handle: concurrent.futures.wait([handle], 1),
    "as_completed": lambda handle: list(concurrent.futures.as_completed([handle], 1)),
}


@workflow
def asks(how: str) -> None:
    """Something that no replay can repeat."""
    REFUSED[how](wide.submit(passed, 1))


@workflow
async def aasks(how: str) -> None:
    """The same, and what asyncio has for it."""
    if how == "wrap_future":
        await asyncio.wrap_future(await wide.asubmit(passed, 1))
    elif how == "run_in_executor":
        await asyncio.get_running_loop().run_in_executor(wide, passed, 1)
    else:
        REFUSED[how](await wide.asubmit(passed, 1))


CASES = [*((function, how) for function in (asks, aasks) for how in REFUSED)]
CASES += [(aasks, "wrap_future"), (aasks, "run_in_executor")]


@pytest.mark.parametrize(("function", "how"), CASES, ids=[f"{function.__name__} {how}" for function, how in CASES])
def test_what_tells_how_a_run_stands_is_refused_in_a_run(function: Any, how: str) -> None:
    """With what to use."""
    with pytest.raises(UsageError, match=r"perdure\.wait"):
        perdure.start(function, how).result(PATIENCE_SECONDS)


def test_run_in_executor_of_a_run_submits_nothing(app: Perdure) -> None:
    """It is refused before."""
    handle = perdure.start(aasks, "run_in_executor")
    with pytest.raises(UsageError):
        handle.result(PATIENCE_SECONDS)
    assert app._runtime is not None
    assert not [row for row in app._runtime.store.runs.histories([handle.run_id]) if row.children]


def test_run_in_executor_works_outside_a_run() -> None:
    """As on any executor."""

    async def main() -> int:
        return await asyncio.get_running_loop().run_in_executor(wide, passed, 7)

    assert asyncio.run(main()) == 7


plain: concurrent.futures.Future[int] = concurrent.futures.Future()


@workflow
def mixes() -> None:
    """Handles between other futures."""
    concurrent.futures.wait([plain, *(wide.submit(passed, number) for number in range(8))])


def test_a_refusal_leaves_no_lock_of_another_future_taken() -> None:
    """`concurrent.futures.wait` has taken some of them when it comes to the first handle."""
    with pytest.raises(UsageError):
        perdure.start(mixes).result(PATIENCE_SECONDS)
    taken = threading.Thread(target=plain.running, daemon=True)
    taken.start()
    taken.join(PATIENCE_SECONDS)
    assert not taken.is_alive()


async def nothing() -> None:
    """A coroutine."""


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: perdure.first(), "at least one"),
        (lambda: perdure.wait([1]), "not a int"),
        (lambda: perdure.wait([], return_when="NOW"), "FIRST_COMPLETED"),
        (lambda: perdure.wait([], timeout=float("nan")), "timeout"),
        (lambda: perdure.wait(5), "not a int"),
        (lambda: perdure.as_completed([nothing()]), "make a task of the coroutine nothing"),
        (lambda: perdure.timeout(-1), "0 or more"),
        (lambda: perdure.timeout(float("nan")), "0 or more"),
        (lambda: perdure.timeout(1).__enter__(), "async with"),
    ],
)
def test_bad_input_is_refused_where_it_is_given(call: Any, told: str) -> None:
    """Before anything waits."""
    with pytest.raises(UsageError, match=told):
        call()
