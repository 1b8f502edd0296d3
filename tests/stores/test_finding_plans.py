"""What people ask of runs is found by indexes, and no table is read whole: every filter, and the SQL of the pages."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import perdure
from benchmarks import listing
from benchmarks.plans import asked_by, plans
from benchmarks.program import Order
from benchmarks.statements import run_script
from perdure.stores.finding import finder
from perdure.stores.protocol import Store
from perdure.stores.queries import load_queries


def order_of(store_url: str) -> Order:
    """As the benchmarks name a database."""
    url = store_url if "://" in store_url else f"sqlite:///{store_url}"
    return Order(url, "", 0, False, "")


@pytest.mark.usefixtures("store")
def test_every_page_has_an_index(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Among twenty thousand runs, with what the database knows of them."""
    monkeypatch.setattr(listing, "TRIES", 1)
    order = order_of(store_url)
    assert listing.report("postgres" if order.is_postgres else "sqlite", order.url, 20_000)


def test_a_page_looks_at_so_many_entries_of_an_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at all that there are below where it ends: SQLite's machine takes a number of steps that does not grow."""
    monkeypatch.setattr(finder, "LOOKED_INTO", 10)
    order = order_of(str(tmp_path / "perdure.db"))
    with perdure.Client(order.url) as client:
        client.opened()
    run_script(order, "listing", 5_000)
    with closing(sqlite3.connect(order.path)) as connection, perdure.Client(order.url) as client:
        steps = [0]
        for wanted in ({"workflow": "app:work7"}, {"status": "ready"}, {"id_prefix": "run-"}):
            asked = plans_of(client, wanted)
            steps.append(sum(steps_of(connection, name, given) for name, given in asked))
        assert max(steps) < 2_000, steps  # a walk through all takes some for each of the five thousand


def steps_of(connection: sqlite3.Connection, name: str, given: Mapping[str, object]) -> int:
    """How many instructions of SQLite's machine the query takes."""
    query, taken = load_queries("perdure.stores.sqlite")[name], [0]

    def count() -> None:
        taken[0] += 1

    connection.set_progress_handler(count, 1)
    connection.execute(query.text, {key: given.get(key) for key in query.parameters}).fetchall()
    connection.set_progress_handler(None, 0)
    return taken[0]


def plans_of(client: perdure.Client, wanted: Mapping[str, Any]) -> list[tuple[str, Mapping[str, object]]]:
    """What is asked for a page of those that are in no queue."""
    return asked_by(client, lambda: client.runs.list(queue="", **wanted))


def test_the_search_for_whole_tables_can_find_one(store: Store, store_url: str) -> None:
    """A check that has never failed proves nothing."""
    assert store is not None
    order = order_of(store_url)
    with plans(order) as planned:
        assert planned.scanned("SELECT * FROM runs WHERE reason = 'x'", {}) == {"runs"}  # on Postgres by search_path
