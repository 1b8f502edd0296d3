"""A decision says its context, what was decided, its price and what measures it; what it names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "decisions"
DECISIONS = sorted(FOLDER.glob("[0-9]*.md"))
PARTS = ["Context", "Decision", "Price", "Measured by"]
NAMED_TEST = re.compile(r"`(tests/[\w/.]+)`")


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.name)
def test_a_decision_has_its_four_parts(page: Path) -> None:
    """In this order; a reader finds the price without searching."""
    text = page.read_text()

    assert re.findall(r"^\*\*([\w ]+)\.\*\*", text, re.MULTILINE) == PARTS
    assert [name for name in NAMED_TEST.findall(text) if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_and_listed() -> None:
    """Numbers have no gap, and the index names every page under its title."""
    index = (FOLDER / "README.md").read_text()
    expected = [
        f"{number}. [{page.read_text().partition('. ')[2].partition(chr(10))[0]}]({page.name})"
        for number, page in enumerate(DECISIONS, 1)
    ]

    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    assert re.findall(r"^\d+\. .*$", index, re.MULTILINE) == expected
