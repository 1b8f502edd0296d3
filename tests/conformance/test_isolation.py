"""Steps whose bodies have a process of their own: what happens there is the step's outcome, and nobody else's."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from perdure._engine.hosting.isolation.guard import GUARD
from tests.conformance import isolated
from tests.conformance.isolated import Order, leaves
from tests.conformance.ledger import replay, state_of, until


@workflow
def calls(name: str, *args: Any) -> Any:
    """The step of this name, then a replay."""
    value = getattr(isolated, name)(*args)
    replay()
    return value


@workflow
def undoes(path: str) -> None:
    """Something that is to be undone, and then something that does not end."""
    isolated.done(path)
    isolated.stays(path)


@workflow
def calls_plain(number: int) -> Any:
    """A function that is nobody's step."""
    return perdure.call("plain", isolated.plain, number, isolation="process", timeout=60)


@workflow
async def calls_at_once() -> Any:
    """It would stop its loop."""
    return isolated.takes(1)


@pytest.fixture
def lines() -> Iterator[list[logging.LogRecord]]:
    """What is logged."""
    found: list[logging.LogRecord] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record)

    listener = Listener()
    logging.getLogger(isolated.__name__).addHandler(listener)
    yield found
    logging.getLogger(isolated.__name__).removeHandler(listener)


def is_alive(pid: int) -> bool:
    """Whether there is such a process, and it is not merely waiting to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def test_a_body_has_a_process_of_its_own_and_its_outcome_is_recorded(app: perdure.Perdure) -> None:
    """The next body finds that process waiting; values travel as they are recorded, with their types."""
    pid, order = calls("doubled", Order(2, ("a",)))
    assert (pid != os.getpid(), order) == (True, Order(4, ("a", "more")))
    assert calls("doubled", order) == (pid, Order(8, ("a", "more", "more")))
    assert perdure.start(isolated.doubled, order).result(20)[0] == pid


def test_a_crash_is_the_steps_error_and_is_retried(sqlite_app: perdure.Perdure, tmp_path: Path) -> None:
    """This process goes on."""
    run = perdure.with_options(id="crashes").start(calls, "crashes_once", str(tmp_path / "crashed"))
    assert run.result(30) == "crashes:0 2"
    with pytest.raises(perdure.StepCrashedError, match="ended itself with exit code 3") as caught:
        calls("leaves", "exit")
    assert caught.value.exit_code == 3
    with pytest.raises(perdure.RecordedError, match=r"sys\.exit\(3\)"):
        calls("leaves", "raise")


def test_memory_is_limited(sqlite_app: perdure.Perdure) -> None:
    """With an error of Python's, in words; a body that takes less than that is let be."""
    assert calls("takes", 50 << 20) == 50 << 20
    with pytest.raises(MemoryError, match="more than its memory=104857600 bytes"):
        calls("takes", 200 << 20)


def test_a_body_that_takes_too_long_is_ended(sqlite_app: perdure.Perdure, tmp_path: Path) -> None:
    """Before the next attempt begins, although it keeps the interpreter's lock."""
    with pytest.raises(perdure.StepTimeoutError, match="its process was ended"):
        calls("late", str(tmp_path / "pids"))
    first, second = map(int, (tmp_path / "pids").read_text().split())
    assert (first != second, is_alive(first), is_alive(second)) == (True, False, False)


def test_cancelled_a_run_ends_its_body_before_it_is_undone(sqlite_app: perdure.Perdure, tmp_path: Path) -> None:
    """With what the body has started."""
    path = tmp_path / "pids"
    run = perdure.start(undoes, str(path))
    until(path.exists)
    run.cancel()
    until(lambda: state_of(sqlite_app, run.run_id) == "cancelled")
    until(lambda: isolated.undone)
    assert not any(map(is_alive, map(int, isolated.undone.pop().split())))


PROGRAM = """
import sys
import perdure
from tests.conformance.isolated import stays

@perdure.workflow(name="isolation:main")
def main(path):
    stays(path)

with perdure.running(sys.argv[1]):
    main(sys.argv[2])
"""


def test_a_body_ends_with_its_worker(tmp_path: Path) -> None:
    """However that ends; and what the body has started, although it hears nothing."""
    path = tmp_path / "pids"
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path / "a.db"), str(path)])
    try:
        until(path.exists)
    finally:
        program.send_signal(signal.SIGKILL)
        program.wait()
    pids = [int(pid) for pid in path.read_text().split()]
    until(lambda: not any(map(is_alive, pids)))


def test_a_guard_that_was_killed_has_a_successor(sqlite_app: perdure.Perdure, tmp_path: Path) -> None:
    """With the next process that begins, or ends."""
    pid, _ = calls("doubled", Order(1, ()))
    assert GUARD._process is not None
    killed = GUARD._process
    killed.kill()
    killed.wait()
    os.kill(pid, signal.SIGKILL)
    assert calls("doubled", Order(1, ()))[0] != pid
    assert GUARD._process.pid != killed.pid
    assert GUARD._process.poll() is None


def test_a_body_logs_saves_and_says_how_far_it_is(sqlite_app: perdure.Perdure, lines: list[logging.LogRecord]) -> None:
    """By the handlers of the program, in the place where it stands; what it has saved outlives its crash."""
    run = perdure.with_options(id="tells").start(calls, "tells")
    until(run.progress)
    (seen,) = run.progress()
    assert (seen.done, seen.total, seen.note, seen.attempt) == (7, 10, "rows", 1)
    assert run.result(30) == {"row": 7}
    (line,) = lines
    said = vars(line)
    assert (line.getMessage(), said["run_id"], said["attempt"]) == ("row 7", "tells", 1)


def test_at_most_once_a_crash_leaves_it_unknown(sqlite_app: perdure.Perdure) -> None:
    """As a crash of this process would."""
    with pytest.raises(perdure.StepInterruptedError):
        calls("unknown")
    assert calls("known") == "as was found out"


def test_what_a_body_cannot_do_there_is_refused(sqlite_app: perdure.Perdure) -> None:
    """With what to do instead."""
    with pytest.raises(perdure.UsageError, match="let the workflow start it"):
        calls("oversteps", "start")
    with pytest.raises(perdure.UsageError, match="let the workflow write it"):
        calls("oversteps", "stream")
    with pytest.raises(perdure.SerializationError, match="the result of step"):
        calls("oversteps", "object")
    with pytest.raises(perdure.UsageError, match=r"await perdure\.start\(takes"):
        perdure.start(calls_at_once).result(20)


def test_a_call_has_the_same_options(sqlite_app: perdure.Perdure) -> None:
    """For a function that is somebody else's."""
    pid, number = calls_plain(4)
    assert (pid != os.getpid(), number) == (True, 5)


async def coroutine() -> None:
    """No body for a process."""


class Odd:
    """Its methods."""

    def method(self) -> None:
        """Of an object."""


@workflow
def calls_local(**options: Any) -> None:
    """What cannot be found by its name."""
    perdure.call("local", lambda: None, **options)


def test_what_cannot_run_there_is_refused_where_it_is_given(
    sqlite_app: perdure.Perdure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the mend."""

    def local() -> None: ...

    for function, why in ((coroutine, "async"), (Odd.method, "method"), (local, "top level")):
        with pytest.raises(perdure.UsageError, match=why):
            step(isolation="process", name="isolation:refused")(function)
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"isolation": "thread"}, "'process'"),
        ({"memory": 1 << 30}, "give isolation='process'"),
        ({"isolation": "process", "memory": 1000}, "memory in bytes=1000: give a whole number from 1048576"),
        ({"isolation": "process", "memory": 1 << 63}, "memory in bytes=9223372036854775808: give a whole number"),
        ({"isolation": "process", "executor": calls}, "give one of them"),
        ({"isolation": "process", "timeout": 0}, "timeout"),
        ({"isolated": True}, "no option isolated="),
    )
    for options, why in refused:
        with pytest.raises(perdure.UsageError, match=why):
            step(**options, name="isolation:refused")(isolated.plain)
    with pytest.raises(perdure.UsageError, match="has an executor or its own process"):
        step(at_most_once=True, reconcile=leaves, name="isolation:refused")(lambda how: None)
    with pytest.raises(perdure.UsageError, match="does not lead to it"):
        calls_local(isolation="process")
    monkeypatch.setitem(sys.modules, "__main__", ModuleType("__main__"))
    session = FunctionType(isolated.plain.__code__, {"__name__": "__main__"}, "session")
    with pytest.raises(perdure.UsageError, match="a session or a notebook"):
        step(isolation="process", name="isolation:refused")(session)
