"""A cancel reaches a run and all its descendants from any process, and holds once it is acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.processes.conftest import Console, Rows, bodies
from tests.processes.waiting import wait_until
from tests.stores.conftest import KINDS


def crossed(sync: str, asynchronous: str) -> pytest.MarkDecorator:
    """Both kinds of functions, on both stores, each but once: neither knows of the other."""
    pairs = [("sqlite", asynchronous), ("postgres", sync)] if "postgres" in KINDS else [("sqlite", asynchronous)]
    return pytest.mark.parametrize(("store_url", "function"), pairs, indirect=["store_url"])


ALL_CANCELLED = "all(run.is_cancelled for run in perdure._api.app.current_runtime().held.active.values())"


@crossed("family", "afamily")
def test_a_cancel_from_another_process_ends_children_and_grandchildren(
    console: Console, rows: Rows, ledger: Path, function: str
) -> None:
    """Two grandchildren run, the rest of the children wait on the queue; nobody succeeds afterwards."""
    first, second = console(), console()
    first.run(f"h = perdure.with_options(id='x').start({function}, ['a', 'b', 'c', 'd'])")
    first.run("wait_for(began['family'])")
    assert second.run("perdure.handle('x').cancel()") is True
    assert first.fail("h.result(20)").startswith("RunCancelledError")
    assert second.fail("perdure.handle('x').result(20)").startswith("RunCancelledError")
    assert second.run("perdure.handle('x').cancel()") is False
    processes = (first, second)
    for generation in ("%middle", "%hold"):  # a cancel goes down when the parent has ended
        for (run_id,) in rows.ask("SELECT id FROM runs WHERE name LIKE ?", generation):
            error = second.run(f"type(perdure.handle({run_id!r}).exception(20)).__name__")
            assert error == "RunCancelledError", (run_id, rows.states())
        wait_until(
            lambda: all(process.run(ALL_CANCELLED) for process in processes)
        )  # what another one holds, by its poll
        for process in processes:
            process.run("[event.set() for event in [may_end[n] for n in 'abcd']] and None")
    assert not [key for key in bodies(ledger) if key.endswith(":1")], "a step began after the cancel"


@crossed("hold", "ahold")
def test_a_cancel_that_was_acknowledged_outlives_the_process_that_held_the_run(
    console: Console, rows: Rows, function: str
) -> None:
    """The holder is killed before it has seen the cancel; nobody takes the run up again."""
    first, second = console(poll_seconds=60.0), console()
    first.run(f"h = perdure.with_options(id='x').start({function}, 'x')")
    first.run("wait_for(began['x'])")
    assert second.run("perdure.handle('x').cancel()") is True
    assert second.run("perdure.handle('x').cancel()") is True
    first.kill()
    second.run("may_end['x'].set()")
    assert second.fail("perdure.handle('x').result(20)").startswith("RunCancelledError")
    assert rows.states() == {"x": "cancelled"}


@crossed("nap", "anap")
def test_a_parked_run_is_cancelled_by_a_process_that_never_held_it(console: Console, rows: Rows, function: str) -> None:
    """It sleeps for an hour and nobody holds it."""
    first = console(park_after_seconds=0.0)
    first.run(f"h = perdure.with_options(id='x').start({function}, 'x', 3600.0)")
    wait_until(lambda: rows.states() == {"x": "parked"})
    second = console()
    assert second.run("perdure.handle('x').cancel()") is True
    assert first.fail("h.result(20)").startswith("RunCancelledError")
    assert rows.states() == {"x": "cancelled"}


def test_a_run_that_ends_while_it_is_cancelled_is_either_and_says_so(console: Console, rows: Rows) -> None:
    """Many races between the last step and a cancel: the answer to the cancel and the end always agree."""
    first, second = console(), console()
    for number in range(15):
        name = f"r{number}"
        first.run(f"h = perdure.with_options(id={name!r}).start(hold, {name!r})")
        first.run(f"wait_for(began[{name!r}])")
        first.run(f"may_end[{name!r}].set()")
        acknowledged = second.run(f"perdure.handle({name!r}).cancel()")
        first.run("h.exception(20) and None")
        assert rows.states()[name] == ("cancelled" if acknowledged else "succeeded")


def test_a_run_that_is_cancelled_elsewhere_stops_at_its_next_durable_call(
    console: Console, rows: Rows, ledger: Path
) -> None:
    """Its holder is told at once, however late it would look; and people see what is awaited."""
    first, second = console(poll_seconds=3600.0), console()
    first.run("h = perdure.with_options(id='x').start(hold, 'x')")
    first.run("wait_for(began['x'])")
    assert second.run("perdure.handle('x').cancel()") is True
    assert rows.ask("SELECT state FROM run_view") == [("cancelling",)]
    assert rows.states() == {"x": "held"}
    for process in (first, second):
        assert "it is cancelled, and ends when" in process.fail("perdure.handle('x').result(0.1)")
    first.run("may_end['x'].set()")
    assert first.fail("h.result(20)").startswith("RunCancelledError")
    assert bodies(ledger) == ["x:0"]


def test_an_async_body_is_cancelled_at_once(console: Console, rows: Rows, ledger: Path) -> None:
    """It waits for something that may take hours; its holder commits nothing meanwhile, and does not poll."""
    first, second = console(poll_seconds=3600.0), console()
    first.run("h = perdure.with_options(id='x').start(ahold, 'x')")
    first.run("wait_for(began['x'])")
    assert second.run("perdure.handle('x').cancel()") is True
    assert first.fail("h.result(20)").startswith("RunCancelledError")
    assert rows.states() == {"x": "cancelled"}
    assert bodies(ledger) == ["x:0"]
