"""Every framework, killed at a sample of the boundaries; `make agents-table` dies at all of them, on both stores."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents.kills import kill_everywhere
from tests.agents.programs.shop import ANSWER
from tests.agents.table import FRAMEWORKS, PAGE, TABLE, databases


@pytest.mark.parametrize("program", FRAMEWORKS)
def test_what_is_recorded_is_not_repeated(program: str, tmp_path: Path) -> None:
    """Four tools at once, killed: no recorded call of a model or tool is made again, and the answer is right."""
    framework = FRAMEWORKS[program]
    pytest.importorskip(framework.module, reason="make agents")
    with databases("SQLite", tmp_path) as fresh:
        outcome = kill_everywhere(program, ANSWER, fresh, tmp_path / "lives", every=9, calls=framework.calls)

    assert outcome.deaths > 3
    assert outcome.recorded > 0
    assert outcome.repeated == outcome.wrong == 0


def test_the_table_has_every_framework() -> None:
    """On both stores, each once, with deaths, nothing that was repeated and no wrong answer."""
    found = TABLE.search(PAGE.read_text())
    assert found is not None
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found[0].splitlines() if line.startswith("| ")]
    measured = [(row[0], row[2], int(row[3]) > 20, row[5], row[7]) for row in rows[2:]]

    assert sorted(measured) == sorted(
        (framework.name, store, True, "0", "0") for framework in FRAMEWORKS.values() for store in ("SQLite", "Postgres")
    )
