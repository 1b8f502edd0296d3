"""The fixtures of the command line's tests: a database, and `perdure` called as from a shell, in this process."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

import perdure
from perdure.cli.main import main
from tests.stores.conftest import store_url as store_url  # a fixture

with contextlib.suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture


@dataclass(frozen=True)
class Said:
    """What a command has written, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its answer."""
        return json.loads(self.out)


Perdure = Callable[..., Said]


@pytest.fixture
def command(store_url: str, capsys: pytest.CaptureFixture[str]) -> Perdure:
    """Calls `perdure` on the test's database."""

    def call(*words: str, url: str | None = None) -> Said:
        capsys.readouterr()
        try:
            code = main([*words, "--url", url or store_url])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


@pytest.fixture
def client(store_url: str) -> Iterator[perdure.Client]:
    """A client that has made the tables."""
    with perdure.Client(store_url) as made:
        made.opened()
        yield made
