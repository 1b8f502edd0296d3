"""The next kind of entry is its own files and one name in a list; releases with different kinds work side by side."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable

import psycopg
import pytest

from perdure._entries import Accepted, Refused
from perdure.stores.kinds import KINDS
from perdure.stores.protocol import Store
from tests.stores.entries import C1, C2, W1, W2, created, finished, join, recorded, state
from tests.stores.noted.kind import Noted
from tests.stores.noted.releases import MORE_KINDS
from tests.stores.noted.releases import opened as opened  # fixtures
from tests.stores.noted.releases import store_url as store_url

TABLE = "CREATE TABLE {}notes (run_id text NOT NULL, id text PRIMARY KEY, body text NOT NULL)"


@pytest.fixture
def noting(opened: Callable[..., Store], store_url: str) -> Store:
    """A store that knows one kind more, with its table, and a run that is held."""
    opened()
    if store_url.startswith("postgres"):
        with psycopg.connect(store_url) as connection:
            connection.execute(TABLE.format("perdure.").encode())
    else:
        with contextlib.closing(sqlite3.connect(store_url)) as connection:
            connection.execute(TABLE.format(""))
    store = opened(kinds=MORE_KINDS)
    join(store, W1)
    store.apply(W1, [created("r", held_as=C1)])
    return store


def notes(store_url: str) -> list[str]:
    """What is noted."""
    if store_url.startswith("postgres"):
        with psycopg.connect(store_url) as connection:
            rows = connection.execute("SELECT body FROM perdure.notes ORDER BY id").fetchall()
    else:
        with contextlib.closing(sqlite3.connect(store_url)) as connection:
            rows = connection.execute("SELECT body FROM notes ORDER BY id").fetchall()
    return [body for (body,) in rows]


def test_a_new_kind_shares_a_batch_with_the_others(noting: Store, store_url: str) -> None:
    """One statement, or one round trip, for all."""
    entries = [recorded("r", C1), Noted("r", C1, "1", "one"), Noted("r", C1, "2", "two"), finished("r", C1)]
    verdicts = noting.apply(W1, entries)  # type: ignore[arg-type]  # a kind that the package does not know
    assert verdicts == [Accepted(), Accepted(), Accepted(), Accepted("succeeded")]
    assert notes(store_url) == ["one", "two"]


def test_a_new_kind_is_judged_by_its_own_rule(noting: Store, store_url: str) -> None:
    """Where one of a batch is not new, the kind says what became of each."""
    entries = [Noted("r", C2, "1", "late"), Noted("r", C1, "2", "again"), Noted("r", C1, "3", "kept")]
    verdicts = noting.apply(W1, entries)  # type: ignore[arg-type]
    assert isinstance(verdicts[0], Refused)
    assert verdicts[1:] == [Accepted(), Accepted()]
    assert notes(store_url) == ["kept"]


def test_a_worker_of_the_release_before_goes_on_during_an_upgrade(opened: Callable[..., Store], noting: Store) -> None:
    """Each calls what it has installed; they share the tables."""
    before = opened()
    join(before, W2)
    assert before.apply(W2, [created("old", held_as=C2), recorded("old", C2)]) == [Accepted(), Accepted()]
    assert noting.apply(W1, [recorded("r", C1)]) == [Accepted()]
    assert before.apply(W2, [finished("old", C2)]) == [Accepted("succeeded")]
    assert (state(noting, "old"), state(before, "r")) == ("succeeded", "held")


def test_functions_that_no_worker_uses_are_dropped_after_a_week(opened: Callable[..., Store], store_url: str) -> None:
    """Those of a release with a living worker stay, however old it is."""
    if not store_url.startswith("postgres"):
        pytest.skip("SQLite's are gone with their connection")
    join(opened(), W2)
    count = (
        b"SELECT count(DISTINCT right(proname, 8)) FROM pg_proc "
        b"WHERE pronamespace = 'perdure'::regnamespace AND proname ~ '_[0-9a-f]{8}$'"
    )
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("UPDATE perdure.decisions SET installed_at = now() - interval '8 days'")
        opened(kinds=MORE_KINDS)
        assert connection.execute(count).fetchall() == [(2,)]
        connection.execute("DELETE FROM perdure.workers")
        opened(kinds=KINDS[:4])
        assert connection.execute(count).fetchall() == [(2,)]
