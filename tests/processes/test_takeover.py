"""Two processes on one database: one dies, or is stopped and wakes up, and the other goes on with its runs."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

import perdure
from tests.processes.conftest import Console, Rows, bodies
from tests.processes.waiting import wait_until

LEASE = {"lease_seconds": 1.0}


def test_the_other_process_goes_on_with_the_runs_of_a_killed_one(console: Console, rows: Rows, ledger: Path) -> None:
    """Its file lock is free at once: no lease has to run out."""
    first, second = console(), console()
    first.run("h = [two.with_options(id=f'r{n}').submit(hold, f'r{n}') for n in range(6)] and None")
    first.run("wait_for(began['r0'])")
    second.run("[event.set() for event in [may_end[f'r{n}'] for n in range(6)]] and None")
    first.kill()
    assert second.run("[perdure.handle(f'r{n}').result(20) for n in range(6)]") == [f"r{n}" for n in range(6)]
    assert set(rows.states().values()) == {"succeeded"}
    assert len(rows.ask("SELECT id FROM workers")) == 1


def test_both_processes_work_on_one_queue(console: Console, ledger: Path) -> None:
    """A queue of two runs four bodies at once in two processes."""
    first, second = console(), console()
    first.run("h = [two.with_options(id=f'r{n}').submit(block, f'r{n}') for n in range(8)] and None")
    wait_until(lambda: len(bodies(ledger, first.pid)) == len(bodies(ledger, second.pid)) == 2)
    for process in (first, second):
        process.run("[event.set() for event in [may_end[f'r{n}'] for n in range(8)]] and None")
    assert first.run("[perdure.handle(f'r{n}').result(20) for n in range(8)]") == [f"r{n}" for n in range(8)]
    assert len(bodies(ledger)) == 8


def test_a_stopped_process_that_wakes_after_its_takeover_writes_nothing(
    console: Console, rows: Rows, ledger: Path
) -> None:
    """The lease runs out while it is stopped; awake again it drops its runs, joins anew and works on."""
    first, second = console(**LEASE), console(**LEASE)
    second.run("may_end['x'].set()")
    first.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    first.run("wait_for(began['x'])")
    [(before,)] = rows.ask("SELECT worker FROM runs WHERE id = 'x'")
    first.send(signal.SIGSTOP)
    assert second.run("perdure.handle('x').result(20)") == "x"
    recorded = rows.ask("SELECT key, claim, recorded_at FROM checkpoints ORDER BY key")
    first.send(signal.SIGCONT)
    first.run("may_end['x'].set()")
    assert first.run("perdure.handle('x').result(20)") == "x"
    assert first.run("perdure.start(hold, 'x').result(20)") == "x"
    assert rows.ask("SELECT key, claim, recorded_at FROM checkpoints WHERE run_id = 'x' ORDER BY key") == recorded
    assert (before,) not in rows.ask("SELECT id FROM workers")
    assert bodies(ledger, first.pid).count("x:1") == 0
    assert bodies(ledger, second.pid).count("x:1") == 1


def test_a_stopped_process_finds_its_way_back_without_having_been_taken_over(console: Console, ledger: Path) -> None:
    """Alone on the database, it wakes with an expired lease that nobody has judged, and goes on."""
    first = console(**LEASE)
    first.run("h = perdure.with_options(id='x').start(hold, 'x')")
    first.run("wait_for(began['x'])")
    first.send(signal.SIGSTOP)
    assert first.lives_for(1.2)
    first.send(signal.SIGCONT)
    first.run("may_end['x'].set()")
    assert first.run("h.result(20)") == "x"
    assert bodies(ledger) == ["x:0", "x:1"]


def test_a_second_process_takes_nothing_from_one_that_lives(console: Console, rows: Rows, ledger: Path) -> None:
    """A body that blocks for longer than the lease does not cost its worker anything."""
    first, second = console(**LEASE), console(**LEASE)
    first.run("h = perdure.with_options(id='x').start(hold, 'x')")
    first.run("wait_for(began['x'])")
    assert second.lives_for(2.2)
    first.run("may_end['x'].set()")
    assert first.run("h.result(20)") == "x"
    assert bodies(ledger) == ["x:0", "x:1"]


def test_a_machine_that_slept_begins_nothing_and_calls_nobody_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every lease ran on meanwhile, this worker's own too, while Linux's monotonic clock stood still."""
    with perdure.running(tmp_path / "p.db") as app:
        worker, hour = app._launched().worker, 3600.0
        began = worker.clock()
        assert worker.unbroken_since < began
        clock = time.clock_gettime
        monkeypatch.setattr(time, "clock_gettime", lambda which: clock(which) + hour)
        assert not worker.may_start
        assert worker.unbroken_since > began + hour / 2
        worker._renew()
        assert worker.may_start
        assert worker.unbroken_since > began + hour / 2


def test_many_processes_start_and_end_at_once(console: Console, rows: Rows) -> None:
    """Each looks at the others' lock files while they are made and removed."""
    first = console(poll_seconds=0.001)
    first.run(
        "import subprocess, sys; code = 'import perdure; perdure.launch(); perdure.shutdown()'; "
        "many = [subprocess.Popen([sys.executable, '-c', code]) for _ in range(4)]"
    )
    assert first.run("[one.wait() for one in many]") == [0] * 4
    assert len(rows.ask("SELECT id FROM workers")) == 1
