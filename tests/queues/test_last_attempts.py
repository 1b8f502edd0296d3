"""A run at its last attempt is claimed alone, and nobody who waits for it stands in its way."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

import perdure
from tests.identity.staging import wait_until

AN_HOUR = 3600.0


@perdure.step
def child(number: int) -> int:
    """What others wait for."""
    return number


@perdure.workflow
def waits() -> int:
    """It waits in memory, for it has not waited for long."""
    delayed = perdure.with_options(id="child", delay=AN_HOUR)
    return delayed.start(child, 5).result()


@perdure.workflow
async def awaits() -> int:
    """The same on a loop."""
    delayed = perdure.with_options(id="child", delay=AN_HOUR)
    return await (await delayed.astart(child, 5))


@pytest.mark.parametrize("parent", [waits, awaits])
def test_a_parent_that_waits_for_a_last_attempt_leaves_memory_for_it(tmp_path: Path, parent: object) -> None:
    """Else each would wait for the other until the parent parks by itself, a minute later."""
    with perdure.running(tmp_path / "p.db", poll_seconds=0.05) as app:
        handle: perdure.Handle[int] = perdure.start(parent)  # type: ignore[call-overload]  # both are workflows
        wait_until(lambda: "child" in app._launched().ends._watchers)
        rows = sqlite3.connect(tmp_path / "p.db", isolation_level=None)
        wait_until(lambda: bool(rows.execute("SELECT 1 FROM runs WHERE id = 'child'").fetchall()))
        rows.execute("UPDATE runs SET due_at = NULL, attempts = max_attempts - 1 WHERE id = 'child'")
        rows.close()

        assert handle.result(30) == 5
