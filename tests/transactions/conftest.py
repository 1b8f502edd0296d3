"""A database with a table of the user's own, in the same place as Perdure's or in another one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest

import perdure
from tests.transactions.sources import POSTGRES, SQLITE, Way

with suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture

WAYS = [("postgres", name) for name in POSTGRES] + [("sqlite", name) for name in SQLITE]


@pytest.fixture(params=WAYS, ids=lambda each: "-".join(each).replace(" ", "-"))
def kind_and_way(request: pytest.FixtureRequest) -> tuple[str, Way]:
    """Each database with each way to reach it."""
    kind, name = request.param
    return kind, (POSTGRES if kind == "postgres" else SQLITE)[name]


@pytest.fixture
def way(kind_and_way: tuple[str, Way]) -> Way:
    """How connections are had."""
    return kind_and_way[1]


@pytest.fixture
def url(kind_and_way: tuple[str, Way], request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Perdure's database, with the table `account` in it."""
    if kind_and_way[0] == "sqlite":
        path = str(tmp_path / "perdure.db")
        with perdure.running(path):  # the file is Perdure's first
            pass
        with closing(sqlite3.connect(path)) as sqlite, sqlite:
            sqlite.execute("CREATE TABLE account (name text)")
        yield path
        return
    found: str = request.getfixturevalue("postgres_url")
    with psycopg.connect(found, autocommit=True) as postgres:
        postgres.execute("DROP TABLE IF EXISTS public.account")
        postgres.execute("CREATE TABLE public.account (name text)")
    yield found
    with psycopg.connect(found, autocommit=True) as postgres:
        postgres.execute("DROP TABLE public.account")


def accounts(url: str) -> list[str]:
    """The names in the user's table."""
    if url.startswith("postgres"):
        with psycopg.connect(url) as postgres:
            return [name for (name,) in postgres.execute("SELECT name FROM account ORDER BY name").fetchall()]
    with closing(sqlite3.connect(url)) as sqlite:
        return [name for (name,) in sqlite.execute("SELECT name FROM account ORDER BY name").fetchall()]
