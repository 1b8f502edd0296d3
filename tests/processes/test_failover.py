"""Workers that share no file system: the lock of a session shows who lives (protocol rule 10), at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.processes.conftest import ROOT, Program, Rows, Start, bodies
from tests.processes.pgbouncer import pooled
from tests.processes.waiting import wait_until

NEVER = {"lease_seconds": 3600.0, "poll_seconds": 3600.0}
Machine = Callable[[str], Program]


@pytest.fixture
def store_url(postgres_url: str) -> str:
    """A file is for one machine."""
    return postgres_url


@pytest.fixture
def machine(start_program: Start, tmp_path: Path) -> Machine:
    """`machine(name)`: a launched process that sees no other one's lock files, and whom no lease makes dead."""

    def start(name: str) -> Program:
        place = tmp_path / name
        place.mkdir()
        program = start_program("console", TMPDIR=str(place))
        assert program.read() == "ready"
        program.run(f"app = perdure.running(**{NEVER!r}).__enter__()")
        return program

    return start


def held(rows: Rows) -> set[object]:
    """The workers that have a lock, by their rows."""
    return {worker_id for (worker_id,) in rows.ask("SELECT id FROM workers WHERE has_lock")}


def test_a_killed_machine_s_runs_go_on_elsewhere(machine: Machine, rows: Rows, ledger: Path) -> None:
    """No lease, no poll and no file shows that it is dead."""
    first, second = machine("one"), machine("two")
    wait_until(lambda: len(held(rows)) == 2)
    first.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    first.run("wait_for(began['x'])")
    second.run("may_end['x'].set()")
    second.run("wait_for_look()")
    first.kill()
    assert second.run("perdure.handle('x').result(60)") == "x"
    assert len(rows.ask("SELECT id FROM workers")) == 1


def test_a_worker_whose_session_is_cut_keeps_its_runs(machine: Machine, rows: Rows, ledger: Path, url: str) -> None:
    """It takes its lock again before anybody believes that it is dead."""
    first, second = machine("one"), machine("two")
    wait_until(lambda: len(held(rows)) == 2)
    first.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    first.run("wait_for(began['x'])")
    second.run("wait_for_look()")
    before = sorted(rows.ask("SELECT id FROM workers"))
    with psycopg.connect(url, autocommit=True) as postgres:
        cut = postgres.execute(
            "SELECT pg_terminate_backend(locks.pid) FROM pg_locks AS locks JOIN perdure.workers ON objid = lock_no "
            "JOIN perdure.runs ON runs.worker = workers.id WHERE locktype = 'advisory' AND classid = 80"
        ).fetchall()
        assert cut == [(True,)]
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 80"
        wait_until(lambda: postgres.execute(locks).fetchall() == [(2,)])
    second.run("wait_for_look(3)")
    assert sorted(rows.ask("SELECT id FROM workers")) == before
    first.run("may_end['x'].set()")
    assert first.run("h.result(60) if h else perdure.handle('x').result(60)") == "x"
    assert len(bodies(ledger)) == 2


@pytest.fixture
def url(store_url: str) -> str:
    """For plain SQL."""
    return store_url


@pytest.mark.long
def test_the_only_machine_of_a_service_finds_its_runs_when_it_starts_again(machine: Machine, rows: Rows) -> None:
    """It never saw the lock held; some seconds of a free one are enough."""
    first = machine("one")
    wait_until(lambda: len(held(rows)) == 1)
    first.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
    first.run("wait_for(began['x'])")
    first.kill()
    second = machine("two")
    second.run("may_end['x'].set()")
    assert second.run("perdure.handle('x').result(60)") == "x"


@pytest.mark.long
def test_behind_a_pooler_that_shares_sessions_there_is_no_lock(
    start_program: Start, rows: Rows, url: str, tmp_path: Path
) -> None:
    """A lock there would be whose session comes next; the worker works, and its lease shows that it lives."""
    with pooled(url, ROOT / ".cache" / "pgbouncer", tmp_path) as pooled_url:
        programs = []
        for _ in range(2):
            programs.append(start_program("console", PERDURE_URL=pooled_url))
            assert programs[-1].read() == "ready"
            programs[-1].run("app = perdure.running(lease_seconds=2.0, poll_seconds=0.1).__enter__()")
        first, second = programs
        second.run("wait_for_look(3)")
        assert rows.ask("SELECT has_lock FROM workers") == [(False,), (False,)]
        assert rows.ask("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = 80") == []
        first.run("h = perdure.with_options(id='x').start(hold, 'x') and None")
        first.run("wait_for(began['x'])")
        second.run("may_end['x'].set()")
        first.kill()
        assert second.run("perdure.handle('x').result(60)") == "x"
