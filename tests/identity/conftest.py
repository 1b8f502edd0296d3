"""The fixtures of the tests of identity and order."""

from __future__ import annotations

from contextlib import suppress

import pytest

from tests.identity.killing import Life
from tests.interpreters import interpreters
from tests.stores.conftest import store_url as store_url  # a fixture

with suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture


@pytest.fixture
def lives() -> list[Life]:
    """Ways to start a process: with other hash seeds, on both loops, by every Python there is."""
    others = [Life(python, hash_seed=5) for python in interpreters()[1:]]
    return [Life(hash_seed=1), Life(hash_seed=2), Life(loop="uvloop", hash_seed=3), *others]
