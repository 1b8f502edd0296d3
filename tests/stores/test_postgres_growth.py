"""What the server does for many at once grows with their number: no plan takes each of them for each.

Counted in the blocks that it looks at, in tables that it has seen empty, and so expects to be small.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from perdure._entries import Entry, RunParked, Wait
from perdure.stores.open import open_store
from perdure.stores.protocol import Store
from tests.stores.entries import W1, claim, created, finished, fresh_claims, join, recorded, sent
from tests.stores.postgres_server import PostgresServer, server_of

SIZES = (100, 300, 900)
MOST = 1.5
"""How much dearer one of the last six hundred may be than one of the two hundred before. Each for each would be 2.5."""

WAITS: dict[str, Callable[[str], Wait]] = {
    "a message": lambda name: Wait("message", what="a"),
    "a child": lambda name: Wait("children", seen=0),
    "a run": lambda name: Wait("run", what=f"of {name}"),
}
Step = tuple[str, Callable[[Store], object]]


def lives(number: int, waits_for: str) -> Iterator[Step]:
    """So many runs do what runs do, each time in one batch: they are taken, record, make a child, wait and go on."""
    names = [f"r{n:03}" for n in range(number)]
    first, second, of_child = (dict(zip(names, fresh_claims(number), strict=True)) for _ in range(3))

    def apply(entry_of: Callable[[str], Entry]) -> Callable[[Store], object]:
        return lambda store: store.apply(W1, [entry_of(name) for name in names])

    def take(claims: dict[str, str]) -> Callable[[Store], object]:
        return lambda store: claim(store, W1, number, claims=[*claims.values()])

    def made(name: str) -> Entry:
        mine = {"claim": first[name], "parent_id": name, "parent_key": "2", "held_as": of_child[name]}
        return created(f"of {name}", **mine)

    yield "join", lambda store: join(store, W1)
    yield "create", lambda store: store.create([created(name) for name in names])
    yield "claim", take(first)
    yield "record", apply(lambda name: recorded(name, first[name]))
    yield "make a child", apply(made)
    yield "park", apply(lambda name: RunParked(name, first[name], waits_for=(WAITS[waits_for](name),)))
    yield "send", apply(lambda name: sent(name, f"to {name}"))
    yield "end the child", apply(lambda name: finished(f"of {name}", of_child[name]))
    yield "look", lambda store: store.hear(W1, ())
    yield "claim again", take(second)
    yield "end", apply(lambda name: finished(name, second[name]))


def blocks(server: PostgresServer, database: str) -> int:
    """How many were looked at in this database, once everybody has left it, who tells only then."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        while admin.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s", [database]).fetchone():
            time.sleep(0.001)
        row = admin.execute(
            "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = %s", [database]
        ).fetchone()
    assert row is not None
    return int(row[0])


def costs(server: PostgresServer, number: int, waits_for: str) -> dict[str, int]:
    """How many blocks each step has looked at, in sessions of its own."""
    found: dict[str, int] = {}
    with server.database() as url:
        database = str(conninfo_to_dict(url)["dbname"])
        with psycopg.connect(url, autocommit=True) as person:
            person.execute("VACUUM")
        total = blocks(server, database)
        for step, do in lives(number, waits_for):
            store = open_store(url)
            try:
                do(store)
            finally:
                store.close()
            before, total = total, blocks(server, database)
            found[step] = total - before
    return found


@pytest.mark.parametrize("waits_for", WAITS)
def test_a_batch_costs_the_same_for_each(request: pytest.FixtureRequest, waits_for: str) -> None:
    """A hundred, three hundred and nine hundred runs: one of many is no dearer than one of few."""
    few, some, many = (costs(server_of(request.config), number, waits_for) for number in SIZES)
    of_some = {step: (some[step] - few[step]) / (SIZES[1] - SIZES[0]) for step in few}
    of_many = {step: (many[step] - some[step]) / (SIZES[2] - SIZES[1]) for step in few}
    assert {step: (of_some[step], of_many[step]) for step in few if of_many[step] > MOST * max(of_some[step], 10)} == {}
