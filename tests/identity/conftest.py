"""The fixtures of the tests of identity and order."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import suppress
from functools import cache

import pytest

from tests.identity.killing import Life
from tests.stores.conftest import store_url as store_url  # a fixture

with suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture


@cache
def interpreters() -> list[str]:
    """This Python and others that can execute the programs, the first of each version.

    `PERDURE_TEST_PYTHONS` names more, separated as in PATH.
    """
    named = os.environ.get("PERDURE_TEST_PYTHONS", "").split(os.pathsep)
    on_path = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13, 14)]
    found = {(sys.version_info.major, sys.version_info.minor): sys.executable}
    for python in [one for one in [*named, *on_path] if one]:
        asked = subprocess.run(
            [python, "-c", "import sys, msgspec; print(*sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0:
            major, minor = asked.stdout.split()
            found.setdefault((int(major), int(minor)), python)
    return list(found.values())


@pytest.fixture
def other_pythons() -> list[str]:
    """Interpreters of other versions; skips the test where there is none."""
    if not interpreters()[1:]:
        pytest.skip("no other Python with msgspec: name one in PERDURE_TEST_PYTHONS")
    return interpreters()[1:]


@pytest.fixture
def lives() -> list[Life]:
    """Ways to start a process: with other hash seeds, on both loops, by every Python there is."""
    others = [Life(python, hash_seed=5) for python in interpreters()[1:]]
    return [Life(hash_seed=1), Life(hash_seed=2), Life(loop="uvloop", hash_seed=3), *others]
