"""Every framework, killed at a sample of the boundaries; `make agents-table` dies at all of them, on both stores."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.agents.kills import Outcome, add_up, kill_everywhere
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


def test_what_is_made_again_is_counted() -> None:
    """As repeated where it was recorded, else as cut off."""
    outcome = Outcome()
    before = Counter({("r:0", "model 1"): 1, ("r:1", "price tea"): 1, ("r:2", "price jam"): 1})
    after = before + Counter({("r:1", "price tea"): 1, ("r:2", "price jam"): 1, ("r:3", "model 2"): 1})

    add_up(outcome, before, {"r:0", "r:1"}, after)

    assert (outcome.recorded, outcome.repeated, outcome.cut_off) == (2, 1, 1)


def test_the_table_has_every_framework() -> None:
    """On both stores, each once, with deaths, nothing that was repeated and no wrong answer."""
    found = TABLE.search(PAGE.read_text())
    assert found is not None
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in found[0].splitlines() if line.startswith("| ")]
    measured = [(row[0], row[2], int(row[3]) > 20, row[5], row[7]) for row in rows[2:]]

    assert sorted(measured) == sorted(
        (framework.name, store, True, "0", "0") for framework in FRAMEWORKS.values() for store in ("SQLite", "Postgres")
    )
