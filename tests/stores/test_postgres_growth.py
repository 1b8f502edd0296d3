"""What the server does for many at once grows with their number: no plan takes each of them for each, or for a few of
them all that there are.

Counted in the blocks that it looks at, by sessions that have made their plans when there was next to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from perdure.stores.postgres import PostgresStore
from tests.stores.entries import W1, join
from tests.stores.many import LIVES, Life, Many, Step, asked, saying, waiting
from tests.stores.postgres_server import TABLES, PostgresServer, server_of

SIZES = (80, 200, 480)  # one look takes a thousand of what was told, and here all of it
MOST = 1.8
"""How much dearer one of the last 280 may be than one of the 120 before. Each for each would be 2.4."""
LEAST = 20
"""What one costs at least, so that an index that gets a level higher is none of it."""
FEW = 5
PART = 0.7
"""How many blocks a step of a few may look at for each other run. Where it walks a table, it is more than one."""


class Counted:
    """A store that keeps its sessions, in a database that nobody counts anew, and what each step costs."""

    def __init__(self, server: PostgresServer, url: str, lives: Iterable[Life]) -> None:
        self._database = str(conninfo_to_dict(url)["dbname"])
        with psycopg.connect(url, autocommit=True) as person:
            for table in TABLES:
                person.execute(
                    sql.SQL("ALTER TABLE perdure.{} SET (autovacuum_enabled = off)").format(sql.Identifier(table))
                )
            person.execute("VACUUM")
        self._person = psycopg.connect(server.url, autocommit=True)
        if self._person.info.server_version < 150_000:
            pytest.skip("this server does not tell its blocks at once")
        self.store = PostgresStore(url)
        join(self.store, W1)
        self.costs(step for life in lives for step in life(Many(f"first {life.__name__} ", FEW)))

    def close(self) -> None:
        """The end of all sessions."""
        self.store.close()
        self._person.close()

    def costs(self, steps: Iterable[Step]) -> dict[str, int]:
        """Take the steps; how many blocks each has looked at."""
        found = {}
        total = self._blocks()
        for step, do in steps:
            do(self.store)
            before, total = total, self._blocks()
            found[step] = total - before
        return found

    def _blocks(self) -> int:
        """How many were looked at in this database, once its sessions have told."""
        database = self.store._database
        for line in (database.turn, database.claims, *database._spare):
            if line._connection is not None:
                line._connection.execute("SELECT pg_stat_force_next_flush()")
        row = self._person.execute(
            "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = %s", [self._database]
        ).fetchone()
        assert row is not None
        return int(row[0])


@contextmanager
def counted(request: pytest.FixtureRequest, *lives: Life) -> Iterator[Counted]:
    """In a database of its own, in which a few have had these lives."""
    server = server_of(request.config)
    with server.database() as url, closing(Counted(server, url, lives)) as one:
        yield one


@pytest.mark.parametrize("life", LIVES)
def test_a_batch_costs_the_same_for_each(request: pytest.FixtureRequest, life: Life) -> None:
    """Eighty, 200 and 480 runs: one of many is no dearer than one of few."""
    found = []
    for number in SIZES:
        with counted(request, life) as database:
            found.append(database.costs(life(Many("r", number))))
    few, some, many = found
    of_some = {step: (some[step] - few[step]) / (SIZES[1] - SIZES[0]) for step in few}
    of_many = {step: (many[step] - some[step]) / (SIZES[2] - SIZES[1]) for step in few}
    assert {
        step: (of_some[step], of_many[step]) for step in few if of_many[step] > MOST * max(of_some[step], LEAST)
    } == {}


def test_a_few_cost_the_same_beside_many(request: pytest.FixtureRequest) -> None:
    """Nothing that a few do is looked for among all that there is: runs that wait, and what others have left."""
    found = []
    for number in (SIZES[0], SIZES[2]):
        with counted(request, *LIVES, waiting) as database:
            database.costs(
                step for life in (asked, saying, waiting) for step in life(Many(f"{life.__name__} ", number))
            )
            found.append(
                {
                    (life.__name__, step): cost
                    for life in LIVES
                    for step, cost in database.costs(life(Many(f"few {life.__name__} ", FEW))).items()
                }
            )
    least, most = found
    of_each = {step: (most[step] - least[step]) / (SIZES[2] - SIZES[0]) for step in least}
    assert {step: part for step, part in of_each.items() if part > PART} == {}
