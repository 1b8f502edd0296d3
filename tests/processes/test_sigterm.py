"""SIGTERM: a launched process begins nothing more, hands its runs back uncharged, and ends as of the signal."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.processes.conftest import Console, Program, Rows, bodies
from tests.processes.waiting import wait_until
from tests.stores.conftest import KINDS

SOON = {"shutdown_seconds": 0.1}
FOR_LONG = {"shutdown_seconds": 60.0}


def end(program: Program) -> int:
    """Tell it to end; its exit status."""
    program.send(signal.SIGTERM)
    return program.wait()


def attempts(rows: Rows) -> list[tuple[object, ...]]:
    """State and attempts of the run `x`."""
    return rows.ask("SELECT state, attempts FROM runs WHERE id = 'x'")


@pytest.mark.parametrize(
    ("store_url", "restarts"),
    [
        pytest.param(store, restarts, marks=pytest.mark.long if restarts > 3 else ())
        for store, restarts in (("sqlite", 3), ("sqlite", 20), ("postgres", 3), ("postgres", 20))
        if store in KINDS
    ],
    indirect=["store_url"],
)
def test_restarts_leave_a_long_runs_attempts_as_they_were(
    console: Console, rows: Rows, ledger: Path, restarts: int
) -> None:
    """Ten deploys must not bury what a service was doing."""
    for restart in range(restarts):
        program = console(**SOON)
        program.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
        wait_until(lambda number=restart: len(bodies(ledger)) == number + 1)  # type: ignore[misc]  # bound now
        assert end(program) == -signal.SIGTERM
        assert attempts(rows) == [("ready", 0)]
        assert rows.ask("SELECT id FROM workers") == []
    program = console()
    program.run("may_end['x'].set()")
    assert program.run("perdure.handle('x').result(20)") == "x"


def test_short_work_ends_and_nothing_more_begins(console: Console, rows: Rows, ledger: Path) -> None:
    """What runs may end within `shutdown_seconds`; what waits stays for the next start."""
    program = console(**FOR_LONG)
    program.run("h = [one.with_options(id=name).submit(block, name) for name in ('x', 'next')] and None")
    program.run("wait_for(began['x'])")
    program.send(signal.SIGTERM)
    program.run("wait_for(type('', (), {'wait': lambda self, seconds: app._runtime.is_stopping})())")
    program.run("may_end['x'].set()")
    assert program.wait() == -signal.SIGTERM
    assert rows.states() == {"x": "succeeded", "next": "ready"}
    assert bodies(ledger) == ["x"]


def test_a_second_signal_cuts_nothing_short(console: Console, rows: Rows) -> None:
    """Some supervisors send it twice."""
    program = console(**FOR_LONG)
    program.run("h = one.with_options(id='x').submit(block, 'x') and None")
    program.run("wait_for(began['x'])")
    for _ in range(3):
        program.send(signal.SIGTERM)
        program.run("1")
    program.run("may_end['x'].set()")
    assert program.wait() == -signal.SIGTERM
    assert attempts(rows) == [("succeeded", 1)]


@pytest.mark.parametrize(
    "line",
    [
        "perdure.with_options(id='x').start(hold, 'x').result()",
        "asyncio.run(ahold('x'))",
        "hold('x')",
        "app.__exit__(None, None, None) if perdure.with_options(id='x').start(hold, 'x').exception() else None",
    ],
)
def test_who_waits_in_the_main_thread_does_not_go_on(console: Console, rows: Rows, ledger: Path, line: str) -> None:
    """Neither with an error, which it might take for the run's, nor to the program's end with another status."""
    program = console(**SOON)
    program.tell(line)
    wait_until(lambda: len(bodies(ledger)) == 1)
    assert end(program) == -signal.SIGTERM
    assert program.process.stdout is not None
    assert program.process.stdout.read() == ""
    assert rows.ask("SELECT state, attempts FROM runs") == [("ready", 0)]


def test_a_program_that_ends_meanwhile_ends_as_of_the_signal(console: Console, rows: Rows) -> None:
    """Its main thread comes to its end while short work may still end."""
    program = console(shutdown_seconds=4.0)
    program.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    program.run("wait_for(began['x'])")
    program.tell("threading.Event().wait(1); __import__('sys').stdin.close()")
    assert end(program) == -signal.SIGTERM
    assert attempts(rows) == [("ready", 0)]


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_program_with_a_handler_keeps_it(console: Console, rows: Rows, how: str) -> None:
    """It ends in its own way, and the runs go back as at every end of a program."""
    program = console(**SOON)
    if how == "before":
        program.run("app.__class__.shutdown(app)")
        program.run("import signal; import sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)) and None")
        program.run("app.launch()")
    else:
        program.run("import signal; import sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)) and None")
    program.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    program.run("wait_for(began['x'])")
    assert end(program) == 7
    assert attempts(rows) == [("ready", 0)]


def test_where_it_is_switched_off_the_process_ends_at_once(console: Console, rows: Rows) -> None:
    """As any Python program; its runs go on elsewhere when its lock is seen to be free, and stay charged."""
    program = console(handle_sigterm=False)
    program.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    program.run("wait_for(began['x'])")
    assert end(program) == -signal.SIGTERM
    assert attempts(rows) == [("held", 1)]


def test_a_signal_after_the_shutdown_ends_the_process_as_ever(console: Console) -> None:
    """The handler goes with the last instance; from another thread it cannot, and then does nothing more."""
    program = console()
    program.run("import signal")
    assert program.run("signal.getsignal(signal.SIGTERM) is signal.SIG_DFL") is False
    program.run("app.shutdown()")
    assert program.run("signal.getsignal(signal.SIGTERM) is signal.SIG_DFL") is True
    program.run("app.launch()")
    program.run("one = threading.Thread(target=app.shutdown); one.start(); one.join()")
    assert program.run("signal.getsignal(signal.SIGTERM) is signal.SIG_DFL") is False
    assert end(program) == -signal.SIGTERM


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_forked_child_ends_at_once_and_its_parent_works_on(console: Console) -> None:
    """`Process.terminate()` of multiprocessing: the parent's runs are not the child's to hand back."""
    program = console()
    program.run("import multiprocessing, signal, time")
    program.run("child = multiprocessing.get_context('fork').Process(target=time.sleep, args=(60,)); child.start()")
    assert program.run("child.terminate() or child.join(20) or child.exitcode") == -signal.SIGTERM
    assert program.run("perdure.start(mark, 'x').result(20)") == "x"


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_an_instance_that_is_launched_in_a_thread_takes_no_signal(console: Console) -> None:
    """Python lets the main thread alone do that; whoever runs the others ends them in its own way."""
    program = console()
    program.run("import signal")
    program.run("app.shutdown()")
    program.run("one = threading.Thread(target=app.launch); one.start(); one.join()")
    assert program.run("signal.getsignal(signal.SIGTERM) is signal.SIG_DFL") is True
