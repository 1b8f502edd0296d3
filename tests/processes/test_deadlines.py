"""A deadline reaches a run from any process, and holds when the process that has the run is killed."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.inside.clock import skip_time
from tests.processes.conftest import Console, bodies
from tests.processes.waiting import wait_until
from tests.stores.conftest import KINDS

with suppress(ImportError):
    from tests.stores.postgres_server import own_postgres_url as own_postgres_url  # a fixture


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of one's own: its clock is changed."""
    if request.param == "postgres":
        return str(request.getfixturevalue("own_postgres_url"))
    return str(tmp_path / "perdure.db")


def test_a_deadline_outlives_the_process_that_held_the_run(console: Console, ledger: Path, store_url: str) -> None:
    """Another process tells it; the holder is killed before it has heard that, and nobody takes the run up again."""
    first = console(poll_seconds=60.0)
    first.run("h = perdure.with_options(id='x', timeout=3600).start(hold, 'x')")
    first.run("wait_for(began['x'])")
    second = console()
    skip_time(store_url, 4000)
    wait_until(lambda: second.run("perdure.runs.get('x').run.status") == "cancelling")
    first.kill()
    assert second.fail("perdure.handle('x').result(20)").startswith("RunTimeoutError")
    assert [key for key in bodies(ledger) if key.endswith(":2")] == []
