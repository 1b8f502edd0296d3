"""Handles end with what they stand for: a run, the process that launched, the process that forked."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, as_completed, wait
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import ForkedError, Handle, PerdureError, RunCancelledError, UsageError, start
from perdure._api.app import current_runtime
from perdure._api.handle import _making
from perdure._engine.runtime import Runtime
from tests.processes.children import in_child

PATIENCE_SECONDS = 20.0

began = threading.Event()
may_end = threading.Event()
foreign: list[Handle[Any]] = []


@perdure.step(name="handles.block")
def block() -> str:
    """It lasts until the test lets it end."""
    began.set()
    may_end.wait(PATIENCE_SECONDS)
    return "done"


@perdure.workflow(name="handles.hold")
def hold() -> str:
    """A step that lasts."""
    return block()


@perdure.workflow(name="handles.fetch")
def fetch() -> str:
    """It waits for a run that somebody else has started."""
    value: str = foreign[0].result()
    return value


@perdure.workflow(name="handles.afetch")
async def afetch() -> str:
    """The same, async."""
    value: str = await foreign[0]
    return value


@perdure.workflow(name="handles.note")
def note() -> str:
    """It is quick."""
    return "noted"


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    began.clear()
    may_end.clear()
    foreign.clear()
    yield
    may_end.set()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[perdure.Perdure]:
    """An instance that does not wait for bodies when it shuts down."""
    with perdure.running(tmp_path / "perdure.db", shutdown_seconds=0.0, poll_seconds=0.05) as app:
        yield app


def by_callback(handle: Handle[Any]) -> Any:
    """The result, learnt from a callback."""
    called: Future[Any] = Future()
    handle.add_done_callback(called.set_result)
    assert called.result(PATIENCE_SECONDS) is handle
    return handle.result(0)


def by_wait(handle: Handle[Any]) -> Any:
    """The result, after `concurrent.futures.wait`."""
    assert wait([handle], PATIENCE_SECONDS, FIRST_COMPLETED).done
    return handle.result(0)


def by_exception(handle: Handle[Any]) -> Any:
    """The result, asked for by its error."""
    error = handle.exception(PATIENCE_SECONDS)
    if error is not None:
        raise error


async def by_gather(handle: Handle[Any]) -> Any:
    """Together with something else."""
    return (await asyncio.gather(handle, asyncio.sleep(0)))[0]


async def by_wrapping(handle: Handle[Any]) -> Any:
    """As any other future of a thread."""
    return await asyncio.wrap_future(handle)


async def by_group(handle: Handle[Any]) -> Any:
    """In a task of a group; the group's error is unwrapped."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(handle.wait())
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return task.result()


WAYS: dict[str, Callable[[Handle[Any]], Any]] = {
    "result": lambda handle: handle.result(PATIENCE_SECONDS),
    "exception": by_exception,
    "callback": by_callback,
    "wait": by_wait,
    "as_completed": lambda handle: next(as_completed([handle], PATIENCE_SECONDS)).result(0),
    "await": lambda handle: asyncio.run(handle.wait()),
    "gather": lambda handle: asyncio.run(by_gather(handle)),
    "wrap_future": lambda handle: asyncio.run(by_wrapping(handle)),
    "group": lambda handle: asyncio.run(by_group(handle)),
}


def test_whoever_waits_is_told_when_the_instance_shuts_down(app: perdure.Perdure) -> None:
    """Whatever the way, whether the wait began before or comes after; the run goes on at the next start."""
    handle = start(hold)
    assert began.wait(PATIENCE_SECONDS)
    with ThreadPoolExecutor(len(WAYS)) as pool:
        waits = {way: pool.submit(ask, handle) for way, ask in WAYS.items()}
        first = Handle[str](handle._runtime, handle.run_id)
        while len(current_runtime().ends._watchers.get(handle.run_id, ())) < 4:  # the handle's future, three coroutines
            assert not [way for way, waiting in waits.items() if waiting.done()]
        app.shutdown()
        for waiting in waits.values():
            with pytest.raises(PerdureError, match="shut down"):
                waiting.result(PATIENCE_SECONDS)
    for ask in WAYS.values():
        for late in (handle, first, Handle[str](handle._runtime, handle.run_id)):
            with pytest.raises(PerdureError, match="shut down"):
                ask(late)
    may_end.set()
    assert perdure.handle(handle.run_id).result(PATIENCE_SECONDS) == "done"


def test_a_direct_call_ends_when_another_thread_shuts_down(app: perdure.Perdure) -> None:
    """At once when its body has ended, not when the run has."""
    with ThreadPoolExecutor(1) as pool:
        calling = pool.submit(hold)
        assert began.wait(PATIENCE_SECONDS)
        app.shutdown()
        assert not calling.done()
        may_end.set()
        with pytest.raises(PerdureError, match="shut down"):
            calling.result(PATIENCE_SECONDS)


@pytest.mark.usefixtures("app")
def test_a_cancelled_run_is_an_error_and_no_cancellation_of_the_waiter() -> None:
    """Also for asyncio's own bridge: a waiter that nobody cancelled must not think so."""
    handle = start(hold)
    assert began.wait(PATIENCE_SECONDS)
    assert handle.cancel()
    may_end.set()
    for ask in WAYS.values():
        with pytest.raises(RunCancelledError):
            ask(handle)
    assert handle.cancelled()
    assert not handle.cancel()


@pytest.mark.parametrize("waiter", [fetch, afetch])
def test_a_run_cannot_wait_for_a_run_of_another_database(
    app: perdure.Perdure, tmp_path: Path, waiter: Callable[[], Any]
) -> None:
    """It would wait for ever: the other database tells it nothing. The error names the mend."""
    foreign.append(start(hold))
    with (
        perdure.running(tmp_path / "other.db", shutdown_seconds=0.0),
        pytest.raises(UsageError, match="wait for it in a step"),
    ):
        start(waiter).result(PATIENCE_SECONDS)
    assert app.is_launched


@pytest.mark.parametrize("waiter", [fetch, afetch])
@pytest.mark.usefixtures("app")
def test_a_run_can_wait_for_a_handle_of_another_instance_on_its_database(
    tmp_path: Path, waiter: Callable[[], Any]
) -> None:
    """Such as one that was made before a restart within the process."""
    foreign.append(start(hold))
    may_end.set()
    with perdure.running(tmp_path / "perdure.db", shutdown_seconds=0.0):
        assert start(waiter).result(PATIENCE_SECONDS) == "done"


@pytest.mark.usefixtures("app")
def test_a_hundred_thousand_handles_fit_into_40_megabytes() -> None:
    """The future in a handle is made when somebody waits."""
    runtime = current_runtime()
    gc.collect()
    tracemalloc.start()
    # As `start` makes them: Handle[Any](...) would give each an attribute more, and with it a dictionary.
    handles: list[Handle[Any]] = [Handle(runtime, f"00000000-0000-4000-8000-{number:012}") for number in range(100_000)]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(handles) == 100_000
    assert size < 40_000_000


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.usefixtures("app")
def test_a_forked_child_is_refused_whatever_was_asked_of_the_handle_before() -> None:
    """Nobody would ever complete it there. Another thread of the parent makes handles at that moment."""
    untouched, asked = start(hold), start(hold)
    assert not asked.done()
    inside, leave = threading.Event(), threading.Event()

    def make() -> None:
        with _making:
            inside.set()
            leave.wait(PATIENCE_SECONDS)

    def check() -> None:
        for handle in (untouched, asked):
            for ask in (*WAYS.values(), Handle.done, Handle.cancel, Handle.running):
                with pytest.raises(ForkedError):
                    ask(handle)
        assert not perdure.handle(asked.run_id).done()
        perdure.shutdown()

    maker = threading.Thread(target=make)
    maker.start()
    inside.wait()
    status = in_child(check)
    leave.set()
    maker.join()
    may_end.set()
    assert status == 0
    assert [handle.result(PATIENCE_SECONDS) for handle in (untouched, asked)] == ["done", "done"]


@pytest.mark.parametrize("way", ["called", "started"])
def test_who_calls_while_another_thread_shuts_down_is_told_and_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Whatever the moment. Nothing is left that says it works, and what was started will go on."""
    app = perdure.Perdure(tmp_path / "perdure.db", shutdown_seconds=0.0)
    found: list[Runtime] = []
    for module in ("calls", "starting"):  # they have found their instance just before it shuts down
        monkeypatch.setattr(f"perdure._api.{module}.current_runtime", lambda **_: found[-1])
    errors: list[BaseException] = []
    made: list[str] = []

    def call_on() -> None:
        try:
            while True:
                if way == "called":
                    note()
                else:
                    made.append(start(note).run_id)
        except BaseException as error:
            errors.append(error)

    for _ in range(20):
        with app.running():
            found.append(app._launched())
            callers = [threading.Thread(target=call_on, daemon=True) for _ in range(3)]
            for caller in callers:
                caller.start()
        for caller in callers:
            caller.join(PATIENCE_SECONDS)
            assert not caller.is_alive()
    assert {type(error) for error in errors} == {PerdureError}, errors
    assert list((tmp_path / "perdure.db-workers").glob("*")) == []
    monkeypatch.undo()
    with app.running():
        assert {perdure.handle(run_id).result(PATIENCE_SECONDS) for run_id in made} <= {"noted"}
