"""A run that keeps ending its worker ends as `dead`, with its reason; nobody beside it pays for that."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest

import perdure
from tests.processes.conftest import Console, Program, Rows, Start, bodies
from tests.processes.ledger import VARIABLE
from tests.processes.programs import functions
from tests.processes.waiting import PATIENCE_SECONDS
from tests.stores.conftest import KINDS

LIVES = 12
"""More than the program can need to get over a run with three attempts."""


def live_until_quiet(start_program: Start, lines: list[str], status: int, *, blocked_lives: int = 0) -> Program:
    """Start the process again and again while a poison run ends it with `status`; the one that lives.

    In its first lives the neighbours do not end.
    """
    launch = "app = perdure.running(poll_seconds=0.1).__enter__()"
    go_on = "[event.set() for event in [may_end[f'n{i}'] for i in range(2)]] and None"
    for life in range(LIVES):
        program = start_program("console")
        program.read_until("ready")
        try:
            for line in (launch, *([go_on] if life >= blocked_lives else []), *lines):
                program.run(line)
        except (AssertionError, BrokenPipeError):
            assert program.wait() == status, program.complaints()
        else:
            return program
    raise AssertionError(f"no process has lived in {LIVES} attempts")


WAYS = [("sqlite", "exit", 3), ("postgres", "kill", -signal.SIGKILL)]
"""The ways to end a process, and on which store each is tried."""


@pytest.mark.parametrize(
    ("store_url", "how", "status"), [way for way in WAYS if way[0] in KINDS], indirect=["store_url"]
)
def test_a_run_that_ends_its_worker_is_dead_at_its_limit_and_its_neighbours_are_not(
    start_program: Start, rows: Rows, ledger: Path, how: str, status: int
) -> None:
    """Three attempts of the poison, the last one alone; the neighbours were at work every time it struck."""
    lines = [
        "n = [two.with_options(id=f'n{i}').submit(innocent, f'n{i}') for i in range(2)] and None",
        f"p = perdure.with_options(id='p').start(poisoned, '{how}')",
        "error = p.exception(30)",
    ]
    program = live_until_quiet(start_program, lines, status, blocked_lives=2)
    assert program.run("type(error).__name__") == "RunDeadError"
    assert program.run("[perdure.handle(f'n{i}').result(20) for i in range(2)]") == ["n0", "n1"]
    assert rows.states() == {"p": "dead", "n0": "succeeded", "n1": "succeeded"}
    [(reason,)] = rows.ask("SELECT reason FROM runs WHERE id = 'p'")
    assert "ended its worker at each of 3 attempts" in str(reason)
    assert bodies(ledger).count("p:0") == 3


def test_sys_exit_in_a_queued_step_ends_as_dead_in_a_process_that_lives(console: Console, rows: Rows) -> None:
    """A worker's thread cannot end the process; the attempts are charged all the same."""
    program = console()
    assert program.fail("perdure.with_options(id='p').start(poisoned, 'sys.exit').result(20)").startswith(
        "RunDeadError"
    )
    assert program.fail("one.with_options(id='q').submit(poison, 'sys.exit').result(20)").startswith("RunDeadError")
    assert rows.states() == {"p": "dead", "q": "dead"}
    [(reason,)] = rows.ask("SELECT reason FROM runs WHERE id = 'p'")
    assert "sys.exit" in str(reason)


def test_a_parent_that_waits_for_a_poison_child_outlives_it(start_program: Start, rows: Rows) -> None:
    """Both are attempted as often; the parent's last attempt gives way to the child's, which dies alone."""
    lines = ["m = perdure.with_options(id='m').start(mother_of_poison, 'kill')", "value = m.result(30)"]
    program = live_until_quiet(start_program, lines, -signal.SIGKILL)
    assert program.run("value") == "outlived it"
    assert sorted(rows.states().values()) == ["dead", "succeeded"]


def test_a_run_that_parks_more_often_than_it_may_be_attempted_is_not_charged(console: Console, rows: Rows) -> None:
    """Sleeping is no attempt."""
    program = console(park_after_seconds=0.0)
    assert program.run("perdure.with_options(id='s').start(many_naps, 8).result(30)") == 8
    [(attempts,)] = rows.ask("SELECT attempts FROM runs WHERE id = 's'")
    assert int(str(attempts)) <= 1


def test_the_last_attempt_of_a_run_waits_for_its_worker_to_have_nothing_else(
    store_url: str, rows: Rows, ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a neighbour is at work it is not begun, however often it is looked for; when that has ended, it is."""
    monkeypatch.setenv(VARIABLE, str(ledger))
    functions.began.clear()
    functions.may_end.clear()
    claims = threading.Semaphore(0)
    with perdure.running(store_url, poll_seconds=0.02) as app:
        neighbour = functions.one.with_options(id="n").submit(functions.innocent, "n")
        functions.wait_for(functions.began["n"])
        last = functions.two.with_options(id="x", delay=3600.0).submit(functions.innocent, "x")
        rows.ask("UPDATE runs SET attempts = 2, due_at = NULL WHERE id = 'x'")
        names = ("claim_runs", "take_runs")
        app._launched().store.on_statement = lambda name: claims.release() if name in names else None  # type: ignore[attr-defined]  # the stores' own hook
        for _ in range(10):
            assert claims.acquire(timeout=PATIENCE_SECONDS)
        assert "x" not in bodies(ledger)
        functions.may_end["x"].set()
        functions.may_end["n"].set()
        assert (neighbour.result(PATIENCE_SECONDS), last.result(PATIENCE_SECONDS)) == ("n", "x")
