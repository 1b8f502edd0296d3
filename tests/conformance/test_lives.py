"""Shutdown and start, changed code and changed data: what a run does in its next life."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import importlib
import logging
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import perdure
from perdure import step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import await_signal, ran, signals, state_of, until
from tests.inside.functions import forget_functions

running = functools.partial(perdure.running, **SETTINGS)


@step
def body(name: str) -> str:
    """It leaves a line."""
    ran.append(name)
    return name


@step
def hold(name: str) -> str:
    """It waits for the test."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return name


@workflow
def three_steps() -> list[str]:
    """The second one waits."""
    return [body("first"), hold("second"), body("third")]


def test_a_run_goes_on_where_it_was_when_the_process_left(url: str) -> None:
    """All systems: what was recorded is not run again; a body that could end within the grace period is recorded."""
    with running(url):
        perdure.with_options(id="r").start(three_steps)
        await_signal("second began")
        signals["second"].set()
    with running(url):
        assert perdure.handle("r").result() == ["first", "second", "third"]
    assert ran == ["first", "second", "third"]


@workflow
def holds_in_threads() -> list[str]:
    """Two bodies at once."""
    with perdure.threads(2) as pool:
        return list(pool.map(hold, ["left", "right"]))


@step
async def ahold(name: str) -> str:
    """It waits for the test, and the loop goes on."""
    ran.append(name)
    signals[f"{name} began"].set()
    await asyncio.to_thread(await_signal, name)
    return name


@workflow
async def holds_in_tasks() -> list[str]:
    """The same on a loop."""
    return await asyncio.gather(ahold("left"), ahold("right"))


@pytest.mark.parametrize("function", [holds_in_threads, holds_in_tasks], ids=["threads", "tasks"])
def test_what_ends_in_several_branches_while_the_process_leaves_is_recorded(
    tmp_path: Path, function: Callable[[], object]
) -> None:
    """The grace period is for all bodies that run, not for one of each run."""
    with running(tmp_path / "a.db") as app:
        perdure.with_options(id="r").start(function)
        await_signal("left began")
        await_signal("right began")
        assert app._runtime is not None
        run = app._runtime.held.active["r"]
        leaving = threading.Thread(target=app.shutdown)
        leaving.start()
        until(lambda: run.interruption is not None)
        signals["left"].set()
        signals["right"].set()
        leaving.join()
    with running(tmp_path / "a.db"):
        assert perdure.handle("r").result(20) == ["left", "right"]
    assert sorted(ran) == ["left", "right"]


def test_who_waits_when_the_process_leaves_is_told_so(url: str) -> None:
    """A future that never ends would hang its thread."""
    with running(url) as app:
        handle = perdure.with_options(id="r", delay=3600).start(three_steps)
        signals["called"].clear()
        handle.add_done_callback(lambda _: signals["called"].set())
        app.shutdown(0)
    await_signal("called")
    with pytest.raises(perdure.PerdureError, match="shut down"):
        handle.result()


def test_launch_and_shutdown_may_be_called_again(url: str, caplog: pytest.LogCaptureFixture) -> None:
    """DBOS.launch twice was an error for long; here the second does nothing; one log line for one launch."""
    caplog.set_level(logging.INFO, "perdure")
    app = perdure.Perdure(url, **SETTINGS)
    app.shutdown()
    app.launch()
    app.launch()
    app.shutdown()
    app.shutdown()
    app.launch()
    assert app.is_launched
    app.shutdown()
    assert sum("perdure works on" in record.getMessage() for record in caplog.records) == 2


def test_instances_live_side_by_side(url: str, tmp_path: Path) -> None:
    """Two databases in one process: a block decides, a handle keeps to its own."""
    with running(url):
        outer = perdure.with_options(id="same").start(body, "outer")
        with running(tmp_path / "inner.db"):
            inner = perdure.with_options(id="same").start(body, "inner")
            assert (outer.result(), inner.result()) == ("outer", "inner")
        assert perdure.with_options(id="same").start(body, "outer").result() == "outer"


def test_a_service_may_come_and_go_on_a_loop(url: str) -> None:
    """FastAPI's lifespan, twice in one process as in tests."""

    async def serve() -> list[str]:
        async with running(url):
            return await (await perdure.astart(three_steps))

    for _ in range(2):
        signals["second"].set()
        assert asyncio.run(serve()) == ["first", "second", "third"]


CODE = """
    import dataclasses
    import perdure
    from perdure import step, workflow
    from tests.conformance.ledger import ran
    from tests.conformance.test_lives import hold

    {order}

    @step
    def one(n: int) -> int:
        ran.append(f"one {{n}}")
        return n

    @step
    def two(n: int) -> int:
        ran.append(f"two {{n}}")
        return n

    @step
    def load() -> Order:
        ran.append("load")
        return Order("pen")

    @workflow
    def changing() -> str:
        {body}

    @workflow
    def loads() -> str:
        order = load()
        hold("gate")
        return repr(order)
"""

ORDER = """@dataclasses.dataclass
    class Order:
        item: str"""

Deploy = Callable[..., ModuleType]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploy]:
    """Puts a new version of a module in the place of the old one, as a new process would see it."""
    name = f"deployed_{tmp_path.name}"
    monkeypatch.syspath_prepend(str(tmp_path))

    def forget() -> None:
        sys.modules.pop(name, None)
        forget_functions(f"{name}:")

    def put(body: str = "return ''", order: str = ORDER) -> ModuleType:
        forget()
        code = CODE.format(body=body.replace("\n", "\n        "), order=order)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(code))
        importlib.invalidate_caches()
        sys.dont_write_bytecode = True
        return importlib.import_module(name)

    before = sys.dont_write_bytecode
    yield put
    sys.dont_write_bytecode = before
    forget()


FIRST = "one(1); two(2); perdure.sleep(3600); return 'first version'"
CHANGES = {
    "a step less": "two(2); return ''",
    "a step more": "one(0); one(1); two(2); return ''",
    "another order": "two(2); one(1); return ''",
    "other arguments": "one(1); two(3); return ''",
    "a sleep for a step": "one(1); perdure.sleep(0); return ''",
    "an early end": "one(1); return ''",
    "a child for a step": "perdure.start(one, 1).result(); return ''",
}


# What is compared is not the database's business: one of them on Postgres shows that a mend reaches it there, too.
@pytest.mark.parametrize(
    ("url", "change"), [("postgres", "another order"), *(("sqlite", change) for change in CHANGES)], indirect=["url"]
)
def test_a_replay_that_does_not_fit_waits_for_a_mend_and_goes_on_after_it(
    url: str, deploy: Deploy, next_complaint: Callable[[], str], change: str
) -> None:
    """Temporal and Restate retry or fail it, DBOS raises UnexpectedStep; here nothing is lost, the difference shown."""
    module = deploy(FIRST)
    with running(url) as app:
        perdure.with_options(id="r").start(module.changing)
        until(lambda: state_of(app, "r") == "parked")
    wake(url)
    deploy(CHANGES[change])
    with running(url) as app:
        complaint = next_complaint()
        assert "r" in complaint
        assert "does not match its history" in complaint
        until(lambda: state_of(app, "r") == "parked")
    deploy(FIRST)
    with running(url) as app:
        until(lambda: sleeps_on(app))
    assert ran[:2] == ["one 1", "two 2"]
    assert ran.count("one 1") == ran.count("two 2") == 1


def sleeps_on(app: perdure.Perdure) -> bool:
    """It was mended, replayed, and waits for its time again."""
    assert app._runtime is not None
    row = app._runtime.store.runs.row("r")
    return row is not None and row.state == "parked" and row.due_at is not None and not row.needs_mend


def wake(url: str) -> None:
    """Make the sleeping run due."""
    if url.startswith("postgres"):
        import psycopg

        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE perdure.runs SET due_at = now() WHERE id = 'r'")
    else:
        import sqlite3
        from contextlib import closing

        with closing(sqlite3.connect(url, isolation_level=None)) as connection:
            connection.execute("UPDATE runs SET due_at = 1 WHERE id = 'r'")


EVOLUTIONS = {
    "a field with a default": ("Order(item='pen', count=1)", "\n        count: int = 1"),
    "a property": ("Order(item='pen')", "\n        @property\n        def name(self) -> str:\n            return ''"),
}


@pytest.mark.parametrize(("url", "change"), [("sqlite", change) for change in EVOLUTIONS], indirect=["url"])
def test_a_dataclass_may_grow_while_a_run_holds_one(url: str, deploy: Deploy, change: str) -> None:
    """LangGraph and DBOS users meet this at every deploy: what is recorded is read by the new class."""
    expected, addition = EVOLUTIONS[change]
    module = deploy()
    with running(url) as app:
        perdure.with_options(id="r").start(module.loads)
        await_signal("gate began")
        app.shutdown(0)
    signals["gate"].set()
    deploy(order=ORDER + addition)
    with running(url):
        assert perdure.handle("r").result() == expected
    assert ran.count("load") == 1


def test_a_run_of_code_that_is_not_there_waits_and_the_others_run(url: str, deploy: Deploy) -> None:
    """DBOS (#645), Celery's «unregistered task»: one unknown name must not stop the rest, nor be lost."""
    module = deploy()
    with running(url) as app:
        handle = perdure.with_options(id="unknown", delay=0.05).start(module.one, 7)
        app.shutdown()
    name = module.__name__
    forget_functions(f"{name}:")
    with running(url) as app:
        assert perdure.start(body, "others run").result() == "others run"
        assert state_of(app, "unknown") == "ready"
    deploy()
    with running(url):
        assert perdure.handle(handle.run_id).result() == 7


def test_a_renamed_function_goes_on_under_its_old_name(url: str) -> None:
    """`name=` is what the database knows: a module or function may be moved."""
    first = workflow(name="conformance:renamed")(_old_place)
    with running(url) as app:
        perdure.with_options(id="moved", delay=0.05).start(first)
        app.shutdown()
    forget_functions("conformance:renamed")
    workflow(name="conformance:renamed")(_new_place)
    with running(url):
        assert perdure.handle("moved").result() == "new place"
    forget_functions("conformance:renamed")


def _old_place() -> str:
    return "old place"


def _new_place() -> str:
    return "new place"


@dataclasses.dataclass
class Point:
    """A value with a type of its own."""

    x: int


@pytest.fixture
def durable(tmp_path: Path) -> Iterator[perdure.Perdure]:
    """As a user's own test suite would have it."""
    with perdure.running(tmp_path / "test.db") as app:
        yield app


@workflow
def doubles(point: Point) -> Point:
    """Data in, data out."""
    return Point(point.x * 2)


@pytest.mark.parametrize("x", [1, 2])
def test_a_users_fixture_can_launch_for_every_test(durable: perdure.Perdure, x: int) -> None:
    """Every test a database of its own, in milliseconds (DBOS resets one, Temporal starts a server)."""
    assert doubles(Point(x)) == Point(2 * x)
    assert durable.is_launched
