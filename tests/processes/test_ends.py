"""A process ends in any way with work in flight: in time, with the right status, without noise, and nothing is lost."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg
import psycopg.conninfo
import psycopg.sql
import pytest

from tests.processes.conftest import Console, Program, Rows, Start

A_FEW_SECONDS = 12.0
"""On a loaded machine; by itself it takes the time that running bodies are given, and a moment."""
NOISE = (
    "Traceback",
    "Exception in thread",
    "Fatal Python error",
    "never awaited",
    "Task was destroyed",
    "ResourceWarning",
)


def check_quiet(program: Program, *, allowed: tuple[str, ...] = ()) -> None:
    """No thread of ours has complained."""
    text = program.complaints()
    assert not [word for word in NOISE if word in text and word not in allowed], text


def end_with(program: Program, status: int) -> None:
    """The program ends by itself, soon."""
    began = time.monotonic()
    assert program.wait() == status, program.complaints()
    assert time.monotonic() - began < A_FEW_SECONDS


@contextmanager
def answering_nobody(url: str) -> Iterator[None]:
    """Every write waits: another process has the file, or the tables, for itself."""
    if url.startswith("postgres"):
        with psycopg.connect(url) as rival:
            rival.execute("LOCK TABLE perdure.workers, perdure.runs IN ACCESS EXCLUSIVE MODE")
            yield
            rival.rollback()
    else:
        with closing(sqlite3.connect(url, isolation_level=None)) as rival:
            rival.execute("BEGIN IMMEDIATE")
            yield


@contextmanager
def refusing_everybody(url: str) -> Iterator[None]:
    """The server has cut the connections of the program and lets no new one in."""
    name = psycopg.sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(url)["dbname"]))
    with psycopg.connect(url, dbname="postgres", autocommit=True) as admin:
        admin.execute(psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
        try:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'perdure%%' AND datname = %s",
                [psycopg.conninfo.conninfo_to_dict(url)["dbname"]],
            )
            yield
        finally:
            admin.execute(psycopg.sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def test_a_script_that_submits_and_ends_loses_nothing(start_program: Start, console: Console, rows: Rows) -> None:
    """Sync, async, sleeping and queued work is in flight when the main thread is done."""
    program = start_program("ends", "submit")
    end_with(program, 0)
    check_quiet(program)
    assert rows.ask("SELECT id FROM workers") == []
    assert "held" not in rows.states().values()
    following = console()
    following.run("may_end['queued'].set()")
    following.run("may_end['started'].set()")
    for run_id in rows.states():
        following.run(f"perdure.handle({run_id!r}).result(20)")
    assert set(rows.states().values()) == {"succeeded"}


@pytest.mark.parametrize(
    ("store_url", "way"), [("sqlite", "exit"), ("sqlite", "aexit"), ("postgres", "aexit")], indirect=["store_url"]
)
def test_sys_exit_in_a_step_ends_the_program_with_its_status_and_the_run_goes_on_later(
    start_program: Start, rows: Rows, way: str
) -> None:
    """The run is ready again, with the attempt charged; the next process ends it."""
    program = start_program("ends", way)
    end_with(program, 7)
    check_quiet(program)
    [(run_id, state, attempts)] = rows.ask("SELECT id, state, attempts FROM runs")
    assert (state, attempts) == ("ready", 1)
    following = start_program("console", PERDURE_TEST_STAY="1")
    following.read()
    following.run("from tests.processes.programs import ends")
    following.run(f"perdure.handle({run_id!r}).result(20)")
    assert rows.states() == {run_id: "succeeded"}


@pytest.mark.parametrize(
    ("store_url", "way"),
    [("sqlite", "interrupt"), ("sqlite", "ainterrupt"), ("postgres", "interrupt")],
    indirect=["store_url"],
)
def test_ctrl_c_releases_a_run_that_was_called_directly(
    start_program: Start, console: Console, rows: Rows, way: str
) -> None:
    """The program ends as Python's own do; the run is uncharged and goes on at the next start."""
    program = start_program("ends", way)
    end_with(program, -signal.SIGINT)
    check_quiet(program, allowed=("Traceback",))
    assert "KeyboardInterrupt" in program.complaints()
    [(run_id, state, attempts)] = rows.ask("SELECT id, state, attempts FROM runs")
    assert (state, attempts) == ("ready", 0)
    following = console()
    following.run("may_end['direct'].set()")
    assert following.run(f"perdure.handle({run_id!r}).result(20)") == "direct"


def test_sigterm_while_the_database_does_not_answer_ends_in_seconds(
    start_program: Start, store_url: str, console: Console
) -> None:
    """Somebody else has locked it and does not let go; the run is found at the next start."""
    program = start_program("ends", "terminate")
    program.read_until("busy")
    with answering_nobody(store_url):
        program.send(signal.SIGTERM)
        end_with(program, 0)
        check_quiet(program)
    following = console()
    following.run("may_end['busy'].set()")
    assert following.run("perdure.handle('busy').result(10)") == "busy"


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_sigterm_while_postgres_refuses_everybody_ends_in_seconds(
    start_program: Start, store_url: str, console: Console
) -> None:
    """Its connections are cut and no new one is let in; the run is found at the next start."""
    program = start_program("ends", "terminate")
    program.read_until("busy")
    with refusing_everybody(store_url):
        program.send(signal.SIGTERM)
        end_with(program, 0)
        check_quiet(program)
    following = console()
    following.run("may_end['busy'].set()")
    assert following.run("perdure.handle('busy').result(20)") == "busy"
