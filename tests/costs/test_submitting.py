"""What submissions cost: many at once, under keys, and in a transaction of the caller's own."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perdure import Client, Queue, step

queue = Queue("costs of submitting")


@step(name="costs:submitted")
def submitted(number: int) -> int:
    """Nobody executes it here."""
    return number


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    """With its tables, and opened."""
    with Client(url) as opened:
        opened.migrate()
        opened.submit(submitted, 0)
        yield opened


def statements_of(client: Client) -> list[str]:
    """The names of all statements from now on, but for the hints, which nobody waits for."""
    names: list[str] = []

    def note(name: str) -> None:
        if name not in ("prepare_line", "send_hint", "checkpoint_wal"):
            names.append(name)

    client.outside().store.on_statement = note  # type: ignore[attr-defined]  # the stores' own hook
    return names


@pytest.mark.parametrize("number", [1, 1_000, 2_500])
def test_many_runs_cost_a_commit_for_each_thousand(client: Client, number: int) -> None:
    """And no other statement."""
    names = statements_of(client)
    client.with_options(queue=queue).submit_many(submitted, ((n,) for n in range(number)))
    assert len(names) == -(-number // 1_000)


def test_a_run_with_a_key_costs_what_any_run_costs(client: Client) -> None:
    """Who meets another pays for the question whose the key is."""
    names = statements_of(client)
    client.with_options(queue=queue, dedup="k").submit(submitted, 1)
    assert len(names) == 1
    names.clear()
    client.with_options(queue=queue, dedup="k", on_duplicate="return_existing").submit(submitted, 1)
    assert 1 < len(names) <= 8


def test_a_debounced_run_costs_the_slow_way(client: Client, kind: str) -> None:
    """Whether it is made or joined: who has the key is asked before and after."""
    for version in range(3):
        names = statements_of(client)
        client.with_options(queue=queue, dedup="d", debounce=60).submit(submitted, version)
        assert 1 < len(names) <= (12 if kind == "postgres" else 9), names


class CountingPostgres(psycopg.Connection[Any]):
    """It counts what it is asked, by whatever cursor, and its commit."""

    count = 0

    def wait(self, *args: Any, **kwargs: Any) -> Any:
        """As ever."""
        type(self).count += 1
        return super().wait(*args, **kwargs)


class CountingSqlite(sqlite3.Connection):
    """The same."""

    count = 0

    def execute(self, *args: Any, **kwargs: Any) -> Any:
        """As ever."""
        type(self).count += 1
        return super().execute(*args, **kwargs)


@pytest.mark.parametrize("number", [1, 1_000])
def test_a_run_in_a_transaction_costs_no_commit_whatever_their_number(
    client: Client, url: str, kind: str, number: int
) -> None:
    """The caller's own, and on Postgres three round trips in it."""
    names = statements_of(client)
    counting = CountingPostgres if kind == "postgres" else CountingSqlite
    counting.count = 0
    is_postgres = counting is CountingPostgres
    connection: Any = CountingPostgres.connect(url) if is_postgres else sqlite3.connect(url, factory=CountingSqlite)
    with closing(connection):
        client.with_options(connection=connection).submit_many(submitted, ((n,) for n in range(number)))
        connection.commit()
    assert counting.count == (4 if is_postgres else 11)
    assert names == []


SUBMITTER = """
import resource, sys
from perdure import Client, Queue, step

@step(name="costs:submitted")
def submitted(number):
    return number

with Client(sys.argv[1]) as client:
    client.migrate()
    handles = client.with_options(queue=Queue("q")).submit_many(submitted, ((n,) for n in range(int(sys.argv[2]))))
    print(len(handles), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1_000)
"""


def peak_megabytes(url: Path, number: int) -> int:
    """Of a process that submits so many and keeps the handles."""
    command = [sys.executable, "-c", SUBMITTER, str(url), str(number)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout
    made, megabytes = map(int, said.split())
    assert made == number
    return megabytes


def test_who_submits_many_keeps_only_their_handles(tmp_path: Path) -> None:
    """Between 20,000 and 60,000 the process grows by less than 260 bytes for each: a million stay under 300 MB."""
    grown = peak_megabytes(tmp_path / "b.db", 60_000) - peak_megabytes(tmp_path / "a.db", 20_000)
    assert grown * 1_000_000 < 260 * 40_000


@pytest.mark.long
def test_a_million_are_submitted_in_300_megabytes(tmp_path: Path) -> None:
    """The whole of it."""
    assert peak_megabytes(tmp_path / "million.db", 1_000_000) < 300
