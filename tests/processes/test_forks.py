"""After a fork the child has an identity and connections of its own, or refuses loudly; the parent is unharmed."""

from __future__ import annotations

import pytest

from tests.processes.conftest import Rows, Start


@pytest.mark.parametrize("way", ["idle", "busy", "committing", "pooled", "preload"])
def test_parent_and_child_both_work_after_a_fork(start_program: Start, rows: Rows, way: str) -> None:
    """The program checks itself, in both processes; afterwards every run has ended well and nobody is left."""
    program = start_program("forks", way)
    program.read_until("done")
    assert program.wait() == 0
    assert "Traceback" not in program.complaints(), program.complaints()
    assert set(rows.states().values()) == {"succeeded"}
