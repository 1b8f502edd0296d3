"""Rows and cursors of any shape, as the user of the connection has chosen: what Perdure asks is not read by them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import class_row, dict_row, scalar_row

import perdure
from perdure import Client, Transactions
from tests.transactions.conftest import accounts
from tests.transactions.sources import SQLITE
from tests.transactions.test_commits import named


class Anything:
    """A class for rows."""

    def __init__(self, **columns: object) -> None:
        self.columns = columns


OF_PSYCOPG: dict[str, dict[str, Any]] = {
    "dict": {"row_factory": dict_row},
    "class": {"row_factory": class_row(Anything)},
    "scalar": {"row_factory": scalar_row},
    "raw": {"cursor_factory": psycopg.RawCursor},
}
OF_SQLITE: dict[str, Callable[..., Any]] = {
    "row": sqlite3.Row,
    "dict": lambda cursor, row: {column[0]: value for column, value in zip(cursor.description, row, strict=True)},
}


@perdure.step(name="row_factories:index")
def index(name: str) -> str:
    """What is submitted."""
    return name


def entering(connect: Callable[[], Any]) -> Any:
    """A step that writes a row, and submits a run in its transaction."""

    @Transactions(connect).step(name=named())
    def enter(connection: Any) -> str:
        connection.execute("INSERT INTO account VALUES ('ada')")
        return perdure.with_options(connection=connection).start(index, "ada").run_id

    return enter


@pytest.mark.parametrize("kind_and_way", [("postgres", "psycopg")], ids=["postgres"], indirect=True)
@pytest.mark.parametrize("shape", OF_PSYCOPG)
def test_rows_of_psycopg_may_have_any_shape(url: str, shape: str) -> None:
    """A step, and a run in a transaction."""
    connect = lambda: psycopg.connect(url, **OF_PSYCOPG[shape])  # noqa: E731  # as users write it
    with perdure.running(url, poll_seconds=0.05):
        made = perdure.start(entering(connect)).result(60)
        assert perdure.handle(made).result(60) == "ada"
        with Client(url) as client, connect() as connection:
            other = client.with_options(connection=connection).submit(index, "bob")
        assert perdure.handle(other.run_id).result(60) == "bob"
    assert accounts(url) == ["ada"]


def test_so_may_those_of_its_async_connections(postgres_url: str) -> None:
    """By the same."""

    async def connect() -> Any:
        return await psycopg.AsyncConnection.connect(postgres_url, row_factory=dict_row)

    @Transactions(connect).step(name=named())
    async def ask(connection: Any) -> Any:
        return (await (await connection.execute("SELECT 7 AS seven")).fetchone())["seven"]

    async def main() -> Any:
        return await (await perdure.astart(ask))

    with perdure.running(postgres_url):
        assert asyncio.run(main()) == 7


@pytest.mark.parametrize("shape", [*OF_SQLITE, "bytes"])
def test_rows_of_sqlite_may_have_any_shape(tmp_path: Path, shape: str) -> None:
    """A step, and a run in a transaction."""
    path = str(tmp_path / "perdure.db")

    def connect() -> sqlite3.Connection:
        connection: sqlite3.Connection = SQLITE["sqlite3"].source(path)()
        if shape == "bytes":
            connection.text_factory = bytes
        else:
            connection.row_factory = OF_SQLITE[shape]
        return connection

    with perdure.running(path):
        with closing(sqlite3.connect(path)) as sqlite:
            sqlite.execute("CREATE TABLE account (name text)")
        made = perdure.start(entering(connect)).result(60)
        assert perdure.handle(made).result(60) == "ada"
        with closing(sqlite3.connect(path)) as sqlite:
            assert not sqlite.execute("SELECT 1 FROM sqlite_schema WHERE name = 'perdure_steps'").fetchall()
    assert accounts(path) == ["ada"]
