"""A file tells that somebody else has committed; looking for that takes little of its writer's time."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from perdure.stores.sqlite import session as module
from perdure.stores.sqlite.connections import Database
from perdure.stores.sqlite.session import LOOK_SECONDS, SqliteSession


@pytest.mark.parametrize(("took", "least", "most"), [(0.0, 8, 13), (0.005, 1, 2)])
def test_looks_that_take_long_are_rare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, took: float, least: int, most: int
) -> None:
    """Beside busy threads a look waits for the interpreter's lock while it holds what commits need."""
    session = SqliteSession(Database(tmp_path / "a.db", 1.0))
    clock, looks = [1000.0], [0]

    def look() -> bool:
        looks[0] += 1
        clock[0] += took
        return False

    def wait(seconds: float) -> bool:
        clock[0] += seconds
        return False

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(session, "_has_news", look)
    monkeypatch.setattr(session._is_poked, "wait", wait)
    assert session.wait(10 * LOOK_SECONDS) == []
    assert least <= looks[0] <= most
