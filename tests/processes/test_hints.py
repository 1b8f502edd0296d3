"""What one process commits another one hears of, with no poll in between."""

from __future__ import annotations

from tests.processes.conftest import Console


def test_a_message_to_a_run_of_another_process_is_heard_at_once(console: Console) -> None:
    """Its holder does not poll."""
    first, second = console(poll_seconds=3600.0), console(poll_seconds=3600.0)
    first.run("h = perdure.with_options(id='x').start(hear)")
    first.run("wait_for(began['hear'])")
    second.run("perdure.send('x', 'hello')")
    assert first.run("h.result(20)") == "hello"


def test_the_end_of_a_run_is_heard_at_once_by_who_waits_elsewhere(console: Console) -> None:
    """The one submits to a queue that is full there, the other executes."""
    first, second = console(poll_seconds=3600.0), console(poll_seconds=3600.0)
    first.run("busy = one.submit(block, 'busy') and None")
    first.run("wait_for(began['busy'])")
    second.run("may_end['x'].set()")
    first.run("h = one.with_options(id='x').submit(block, 'x') and None")
    assert first.run("perdure.handle('x').result(20)") == "x"
    first.run("may_end['busy'].set()")
