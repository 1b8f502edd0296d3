"""Steps whose bodies an executor runs: what happens there is recorded here."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import Retry, step, workflow
from perdure.errors import RecordedError
from tests.conformance.ledger import MOMENT_SECONDS, await_signal, ran, replay, signals, state_of, until

AT_ONCE = Retry(attempts=2, initial_seconds=0)
made: list[Executor] = []
threads = ThreadPoolExecutor(1, thread_name_prefix="elsewhere")
lonely = ThreadPoolExecutor(1)
"""For a body that may be left behind: no other test waits for its thread."""


def pool() -> Executor:
    """One process for all tests of this file; another one only after a test has broken it."""
    made.append(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
    return made[-1]


@pytest.fixture(scope="module", autouse=True)
def _nothing_left() -> Iterator[None]:
    yield
    for executor in (*made, threads, lonely):
        executor.shutdown(wait=False, cancel_futures=True)


class OddError(Exception):
    """Cannot be read by another process: its arguments are not what its class takes."""

    def __init__(self, code: int, *, text: str) -> None:
        super().__init__(f"{code} {text}")


@step(executor=pool)
def doubled(number: int) -> list[int]:
    """Where it ran, and what it got."""
    return [os.getpid(), number * 2]


@step(executor=pool)
def keyed() -> list[str]:
    """A step called in it is a plain call."""
    return [perdure.idempotency_key(), str(doubled(2)[1])]


@step(executor=pool)
def raises(how: str) -> None:
    """In the other process."""
    if how == "odd":
        raise OddError(7, text="what it said")
    if how == "exit":
        raise SystemExit(3)
    raise LookupError(how)


@step(executor=pool, retries=AT_ONCE)
def dies_once(path: str) -> int:
    """It takes its process with it, the first time."""
    if not Path(path).exists():
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return os.getpid()


@step(executor=pool)
def dies() -> None:
    """It takes its process with it."""
    os.kill(os.getpid(), signal.SIGKILL)


@step(executor=pool, at_most_once=True)
def dies_unknown() -> None:
    """It takes its process with it, and nobody knows what it did."""
    os.kill(os.getpid(), signal.SIGKILL)


def look(path: str) -> str:
    """Asked what became of it."""
    if path == "nothing":
        raise perdure.StepNotDoneError
    return f"{path}, as was found out"


@step(executor=pool, at_most_once=True, reconcile=look)
def dies_known(path: str) -> str:
    """It takes its process with it, and there is somebody to ask."""
    os.kill(os.getpid(), signal.SIGKILL)
    return path


@step(executor=lonely, timeout=MOMENT_SECONDS)
def late() -> None:
    """It waits for longer than it may."""
    await_signal("late")


@step(executor=threads, timeout=20, retries=Retry(attempts=3, initial_seconds=0))
def third_time() -> str:
    """It succeeds when it is tried for the third time."""
    ran.append(perdure.idempotency_key())
    if len(ran) < 3:
        raise ConnectionError("not yet")
    return threading.current_thread().name


class Remembering(Executor):
    """As Dask: a call with the same arguments is the same call, and its error its outcome."""

    def __init__(self) -> None:
        self._known: dict[bytes, Future[Any]] = {}

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        key = pickle.dumps((args, kwargs))
        if key not in self._known:
            future = self._known[key] = Future[Any]()
            try:
                future.set_result(fn(*args, **kwargs))
            except Exception as error:
                future.set_exception(error)
        return self._known[key]


@step(executor=Remembering, retries=AT_ONCE)
def second_time() -> int:
    """It succeeds when it is tried again."""
    ran.append(perdure.idempotency_key())
    if len(ran) < 2:
        raise ConnectionError("not yet")
    return len(ran)


@step(executor=threads)
def blocks(name: str) -> str:
    """Until it is told."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return name


@workflow
def calls(name: str, *args: Any) -> Any:
    """The step of this name, then a replay."""
    value = globals()[name](*args)
    replay()
    return value


@workflow
async def starts(number: int) -> list[int]:
    """An async workflow starts such a step, and is not blocked by it."""
    return await perdure.start(doubled, number)


@workflow
async def calls_at_once(number: int) -> list[int]:
    """It would stop its loop."""
    return doubled(number)


def test_a_body_runs_in_the_executor_and_its_outcome_is_recorded(app: perdure.Perdure) -> None:
    """In another process; replayed, it does not run again; the next step runs in the same one."""
    pid, value = calls("doubled", 4)
    assert value == 8
    assert pid != os.getpid()
    assert calls("doubled", 5) == [pid, 10]


def test_a_step_by_itself_runs_in_the_executor(app: perdure.Perdure) -> None:
    """From an async workflow too, whose loop is not stopped."""
    pid, value = perdure.start(doubled, 3).result(20)
    assert (pid != os.getpid(), value) == (True, 6)
    assert perdure.start(starts, 6).result(20)[1] == 12


def test_an_async_workflow_does_not_wait_for_it_on_its_loop(sqlite_app: perdure.Perdure) -> None:
    """Refused, with what to do."""
    with pytest.raises(perdure.UsageError, match=r"await perdure\.start\(doubled"):
        perdure.start(calls_at_once, 1).result(20)


def test_the_body_knows_its_key(sqlite_app: perdure.Perdure) -> None:
    """As in this process; what it calls is a plain call."""
    assert perdure.with_options(id="keyed").start(calls, "keyed").result(20) == ["keyed:0", "4"]


def test_what_is_raised_there_is_the_error_of_the_step(app: perdure.Perdure) -> None:
    """One that no process could read is told by its name; the end of that process is not the end of this one."""
    with pytest.raises(LookupError, match="no such thing"):
        calls("raises", "no such thing")
    with pytest.raises(RecordedError, match="what it said"):
        calls("raises", "odd")
    with pytest.raises(RecordedError, match=r"sys\.exit\(3\)"):
        calls("raises", "exit")


def test_a_broken_pool_is_the_error_of_the_step_and_a_retry_gets_a_new_one(
    app: perdure.Perdure, tmp_path: Path
) -> None:
    """Its process is killed; with retries the function makes another pool."""
    assert calls("dies_once", str(tmp_path / "died")) != os.getpid()
    with pytest.raises(BrokenExecutor):
        calls("dies")


def test_at_most_once_a_broken_pool_leaves_it_unknown(sqlite_app: perdure.Perdure) -> None:
    """As after a crash of this process: there is an error for it, or somebody is asked."""
    with pytest.raises(perdure.StepInterruptedError):
        calls("dies_unknown")
    assert calls("dies_known", "done") == "done, as was found out"
    with pytest.raises(BrokenExecutor):
        calls("dies_known", "nothing")


def test_an_attempt_that_takes_too_long_is_given_up(app: perdure.Perdure) -> None:
    """Although nothing stops the body."""
    try:
        with pytest.raises(perdure.StepTimeoutError, match="longer than"):
            calls("late")
    finally:
        signals["late"].set()


def test_a_thread_of_an_executor_is_inside_the_run(app: perdure.Perdure) -> None:
    """It knows its key, the same at every attempt."""
    handle = perdure.with_options(id="third").start(calls, "third_time")
    assert handle.result(20).startswith("elsewhere")
    assert ran == ["third:0"] * 3


def test_an_attempt_is_another_call_than_the_one_before(sqlite_app: perdure.Perdure) -> None:
    """For an engine that knows calls by their arguments too; the key is the same."""
    assert calls("second_time") == 2
    assert len(set(ran)) == 1


def test_cancelled_a_run_takes_back_what_has_not_begun(app: perdure.Perdure) -> None:
    """One that runs is waited for."""
    first, second = perdure.start(calls, "blocks", "first"), None
    try:
        await_signal("first began")
        second = perdure.start(calls, "blocks", "second")
        until(lambda: threads._work_queue.qsize() == 1)
        second.cancel()
        until(lambda: state_of(app, second.run_id) == "cancelled")
        first.cancel()
    finally:
        signals["first"].set()
    with pytest.raises(perdure.RunCancelledError):
        first.result(20)
    assert ran == ["first"]


async def coroutine() -> None:
    """No body for an executor."""


class Odd:
    """Its methods."""

    def method(self) -> None:
        """Of an object."""

    @staticmethod
    def __hidden() -> None:
        """Under another name than it says."""

    hidden = __hidden


def test_what_no_executor_can_run_is_refused_where_it_is_given() -> None:
    """With what to do."""

    def local() -> None: ...

    for function, why in ((coroutine, "async"), (Odd.method, "method"), (Odd.hidden, "find"), (local, "find")):
        with pytest.raises(perdure.UsageError, match=why):
            step(executor=threads, name="executors:refused")(function)
    with pytest.raises(perdure.UsageError, match=r"concurrent\.futures\.Executor"):
        step(executor=4, name="executors:refused")(look)  # type: ignore[call-overload]
    with pytest.raises(perdure.UsageError, match="has an executor"):
        step(at_most_once=True, reconcile=keyed, name="executors:refused")(lambda: None)


def test_a_step_that_is_not_found_by_its_name_says_so(sqlite_app: perdure.Perdure) -> None:
    """And a function that makes something else."""
    with pytest.raises(perdure.UsageError, match="top level of its module"):
        calls("renamed")
    with pytest.raises(perdure.UsageError, match=r"made a int"):
        calls("misplaced")


def unfound() -> None:
    """Decorated under another name, so that its own leads to something else."""


renamed = step(executor=pool, name="executors:renamed")(unfound)


@step(executor=lambda: 4)  # type: ignore[arg-type,return-value]
def misplaced() -> None:
    """Nowhere."""
