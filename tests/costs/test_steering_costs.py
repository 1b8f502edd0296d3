"""What it costs to steer runs, counted exactly on both stores: one commit, whatever the number of runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest

from perdure._core.serialization import Serializer, TypeRegistry
from perdure._engine.claiming.held_runs import Held
from perdure._engine.news import News
from perdure._engine.steering import Steers
from perdure._engine.told import Told
from perdure._engine.watching.awaited_ends import Ends
from perdure._steering import By
from perdure.stores.protocol import Store
from perdure.stores.sqlite.store import SqliteStore
from tests.stores.conftest import open_another as open_another  # a fixture
from tests.stores.conftest import store as store  # a fixture
from tests.stores.conftest import store_url as store_url  # a fixture
from tests.stores.entries import C1, W1, created, finished, join, recorded

with contextlib.suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture

ME = By("somebody")


def cost_of(store: Store, operation: Callable[[], object]) -> int:
    """The statements; one of them commits, on Postgres by itself."""
    names: list[str] = []
    store.on_statement = names.append  # type: ignore[attr-defined]  # both have it
    operation()
    store.on_statement = None  # type: ignore[attr-defined]
    assert names.count("commit") == isinstance(store, SqliteStore)
    return len(names)


@pytest.mark.parametrize("count", [1, 100])
def test_what_many_runs_share(store: Store, count: int) -> None:
    """A pause, a resume and a deletion: as many statements for a hundred as for one, but that a family is looked up."""
    is_sqlite = isinstance(store, SqliteStore)
    join(store, W1)
    run_ids = [f"r{number}" for number in range(count)]
    store.create([created(run_id) for run_id in run_ids])
    steering = store.steering
    assert cost_of(store, lambda: steering.pause(run_ids, ME)) == (6 if is_sqlite else 1)
    assert cost_of(store, lambda: steering.resume(run_ids, ME)) == (8 if is_sqlite else 1)
    store.cancels.ask(run_ids)
    store.cancels.sweep()
    assert cost_of(store, lambda: steering.delete(run_ids, ME)) == (3 + 5 * count if is_sqlite else 1)


def test_what_a_new_start_takes(store: Store) -> None:
    """What is read for it, and one transaction."""
    is_sqlite = isinstance(store, SqliteStore)
    join(store, W1)
    ends = Ends(store.runs, lambda run_id: None, lambda: None)
    told = Told(held=Held(), ends=ends, say=lambda *heard, **more: None, news=News())
    steers = Steers(store, Serializer(TypeRegistry()), told)
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1), finished("r", C1, "failed", '{"$error":{}}')])
    assert cost_of(store, lambda: steers.fork("r", "f", None, ME)) == (16 if is_sqlite else 4)
    assert cost_of(store, lambda: steers.retry("r", ME)) == (29 if is_sqlite else 5)
