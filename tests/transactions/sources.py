"""Every way to have connections that a transactional step can be made with, and how to write a row with each."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psycopg
import sqlalchemy
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import sessionmaker

INSERT = "INSERT INTO account (name) VALUES ({})"


@dataclass(frozen=True)
class Way:
    """One of them: what `Transactions` is given for a URL, and how its body writes."""

    source: Callable[[str], Any]
    mark: str
    is_async: bool = False
    is_text: bool = False

    def write(self, connection: Any, name: str) -> Any:
        """Insert a row; of an async connection an awaitable."""
        if self.is_text:
            return connection.execute(sqlalchemy.text(INSERT.format(":name")), {"name": name})
        return connection.execute(INSERT.format(self.mark), (name,))


def alchemy(url: str, driver: str) -> str:
    """The URL as SQLAlchemy has it."""
    if url.startswith("postgres"):
        return url.replace("postgresql://", f"postgresql+{driver}://", 1)
    return f"sqlite+{driver}:///{url}"


def aconnecting(url: str) -> Any:
    """The coroutine function that opens it."""

    async def connect() -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(url)

    return connect


POSTGRES = {
    "psycopg": Way(lambda url: lambda: psycopg.connect(url), "%s"),
    "psycopg autocommit": Way(lambda url: lambda: psycopg.connect(url, autocommit=True), "%s"),
    "psycopg async": Way(aconnecting, "%s", is_async=True),
    "sqlalchemy": Way(lambda url: sqlalchemy.create_engine(alchemy(url, "psycopg")), "", is_text=True),
    "sqlalchemy serializable": Way(
        lambda url: sqlalchemy.create_engine(alchemy(url, "psycopg"), isolation_level="SERIALIZABLE"), "", is_text=True
    ),
    "sqlalchemy session": Way(
        lambda url: sessionmaker(sqlalchemy.create_engine(alchemy(url, "psycopg"))), "", is_text=True
    ),
    "sqlalchemy async": Way(lambda url: create_async_engine(alchemy(url, "psycopg")), "", is_async=True, is_text=True),
    "sqlalchemy async session": Way(
        lambda url: async_sessionmaker(create_async_engine(alchemy(url, "psycopg"))), "", is_async=True, is_text=True
    ),
}
SQLITE = {
    "sqlite3": Way(lambda url: lambda: sqlite3.connect(url, check_same_thread=False), "?"),
    "sqlalchemy": Way(lambda url: sqlalchemy.create_engine(alchemy(url, "pysqlite")), "", is_text=True),
    "sqlalchemy async": Way(
        lambda url: create_async_engine(alchemy(url, "aiosqlite")), "", is_async=True, is_text=True
    ),
}
