"""Lines of a run's logs say which run they are of, and are not written again while it is replayed."""

from __future__ import annotations

import asyncio
import functools
import logging
import threading
from collections.abc import Iterator

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import areplay, await_signal, replay, signals

log = perdure.logger()
plain = logging.getLogger("plain-of-the-program")
running = functools.partial(perdure.running, **SETTINGS)


class Kept(logging.Handler):
    """Keeps what it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)

    def lines(self) -> list[str]:
        """What was said."""
        return [record.getMessage() for record in self.records]


@pytest.fixture
def kept() -> Iterator[Kept]:
    """What both loggers say, in order."""
    handler = Kept()
    loggers = [log.logger, plain]
    for one in loggers:
        one.addHandler(handler)
        one.setLevel(logging.INFO)
    yield handler
    for one in loggers:
        one.removeHandler(handler)
        one.setLevel(logging.NOTSET)


@step
def logged(value: int) -> int:
    """It logs, too."""
    log.info("body %s", value)
    return value


@workflow
def logs() -> int:
    """Lines before and after whatever is recorded, and lives between them."""
    log.info("first")
    logged(1)
    log.info("second")
    replay()
    log.info("third")
    child = perdure.start(logged, 2)
    log.info("fourth")
    replay()
    log.info("fifth %s", child.result())
    return logged(3)


@step
async def alogged(value: int) -> int:
    """The same on a loop."""
    log.info("body %s", value)
    return value


@workflow
async def alogs() -> int:
    """The same on a loop."""
    log.info("first")
    await alogged(1)
    log.info("second")
    await areplay()
    log.info("third")
    child = await perdure.astart(alogged, 2)
    log.info("fourth")
    await areplay()
    log.info("fifth %s", await child)
    return await alogged(3)


@pytest.mark.parametrize("function", [logs, alogs], ids=["sync", "async"])
def test_a_replay_writes_no_line_again(url: str, kept: Kept, function: object) -> None:
    """Each line once, of a workflow that is executed three times; those of bodies are nobody's replay."""
    with running(url):
        assert perdure.start(function).result(20) == 3  # type: ignore[call-overload]
    said = [line for line in kept.lines() if line != "body 2"]  # the child's comes whenever it comes
    assert said == ["first", "body 1", "second", "third", "fourth", "fifth 2", "body 3"]
    assert kept.lines().count("body 2") == 1


def test_a_record_says_which_run_it_is_of(url: str, kept: Kept) -> None:
    """The run and its workflow; in a body the step and its attempt; nothing outside of runs."""
    with running(url):
        handle = perdure.start(logs)
        handle.result(20)
    log.info("outside")
    by_line = {record.getMessage(): record.__dict__ for record in kept.records}
    name = f"{logs.__module__}:logs"
    first, body, outside = (by_line[line] for line in ("first", "body 1", "outside"))
    facts = ("run_id", "workflow", "step", "attempt")
    assert [first[fact] for fact in facts] == [handle.run_id, name, None, 1]
    assert [body[fact] for fact in facts] == [handle.run_id, name, f"{logs.__module__}:logged", 1]
    assert [outside[fact] for fact in facts] == [None, None, None, None]
    assert first["funcName"] == "logs"
    child = by_line["body 2"]
    assert child["run_id"] != handle.run_id
    assert child["step"] == child["workflow"] == f"{logs.__module__}:logged"


@step
def awaited(name: str) -> str:
    """It ends when the test says so."""
    signals[f"{name} began"].set()
    await_signal(name)
    return name


@workflow
def logs_in_threads() -> None:
    """Two branches that log, one of which is behind."""

    def branch(name: str) -> None:
        log.info("%s before", name)
        awaited(name)
        log.info("%s after", name)

    with perdure.threads(2) as pool:
        list(pool.map(branch, ["left", "right"]))


def test_lines_of_branches_are_not_written_again_and_none_is_lost(url: str, kept: Kept) -> None:
    """A branch that was not done when the process left goes on where the other one's records end."""
    with running(url) as app:
        perdure.with_options(id="r").start(logs_in_threads)
        await_signal("left began")
        await_signal("right began")
        leaving = threading.Thread(target=app.shutdown, args=(20,))
        assert app._runtime is not None
        run = app._runtime.held.active["r"]
        signals["left"].set()
        while not run.order.next_position:
            threading.Event().wait(0.01)
        leaving.start()
        while run.interruption is None:
            threading.Event().wait(0.01)
        signals["right"].set()
        leaving.join()
    with running(url):
        perdure.handle("r").result(20)
    lines = kept.lines()
    assert sorted(set(lines)) == ["left after", "left before", "right after", "right before"]
    assert (lines.count("left before"), lines.count("right before")) == (1, 1)


@workflow
async def cancels_a_branch() -> None:
    """A branch that has recorded something is cancelled, and its records are never asked for to the end."""

    async def branch() -> None:
        await alogged(1)
        await asyncio.Event().wait()

    task = asyncio.create_task(branch())
    await alogged(2)
    task.cancel()
    await areplay()
    log.info("at the end")


def test_what_follows_a_branch_that_was_given_up_is_written(url: str, kept: Kept) -> None:
    """Whatever of its records nobody asks for any more."""
    with running(url):
        perdure.start(cancels_a_branch).result(20)
    assert kept.lines().count("at the end") == 1


@workflow
def logs_plainly() -> int:
    """By a logger of the program's own."""
    plain.info("before")
    value = logged(1)
    replay()
    plain.info("after", extra={"step": "its own"})
    return value


def test_the_filter_does_the_same_for_other_loggers(url: str, kept: Kept) -> None:
    """On a handler it sees whatever the handler gets."""
    kept.addFilter(perdure.LogFilter())
    with running(url):
        handle = perdure.start(logs_plainly)
        handle.result(20)
    assert kept.lines() == ["before", "body 1", "after"]
    assert kept.records[0].__dict__["run_id"] == handle.run_id
    assert kept.records[2].__dict__["step"] == "its own"


def test_without_either_lines_are_written_again(url: str, kept: Kept) -> None:
    """What the two are there for."""
    with running(url):
        perdure.start(logs_plainly).result(20)
    assert kept.lines().count("before") == 2


def test_what_perdure_says_itself_is_never_dropped() -> None:
    """It is about the process."""
    record = logging.LogRecord("perdure", logging.INFO, "", 0, "said", None, None)
    assert perdure.LogFilter().filter(record)
    assert record.__dict__["run_id"] is None


def test_a_logger_without_a_name_is_the_callers() -> None:
    """As `logging.getLogger(__name__)`; levels are logging's."""
    assert log.name == __name__
    assert perdure.logger("other").name == "other"
    with pytest.raises(perdure.UsageError):
        perdure.logger(5)  # type: ignore[arg-type]
