"""An instance on a fresh SQLite file: what is tested here does not depend on the database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import perdure


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A file that nobody has used."""
    return str(tmp_path / "perdure.db")


@pytest.fixture
def app(url: str) -> Iterator[perdure.Perdure]:
    """Launched."""
    with perdure.running(url, shutdown_seconds=0.0) as running:
        yield running
