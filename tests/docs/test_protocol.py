"""Code, SQL and tests cite the protocol's rules by number; the page has each of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "protocol.md"
CITING = re.compile(r"\b[Rr]ules?\s+(\d+(?:(?:\s*,\s*|\s+and\s+|\s+to\s+)\d+)*)")
FOLDERS = ("src", "tests", "model", "docs", "chaos", "benchmarks", "examples", "tools")
KINDS = {".py", ".sql", ".md"}


def rules_on(page: str) -> set[int]:
    """The numbers of the rules that the page states."""
    return {int(number) for number in re.findall(r"^## Rule (\d+):", page, re.MULTILINE)}


def citations(text: str) -> list[int]:
    """The numbers that the text cites."""
    return [int(number) for cited in CITING.findall(text) for number in re.findall(r"\d+", cited)]


def test_the_rules_are_numbered_without_a_gap() -> None:
    """A number, once given, keeps its meaning: rules are added at the end."""
    rules = rules_on(PAGE.read_text())

    assert rules == set(range(1, len(rules) + 1))
    assert len(rules) >= 17


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_rule_that_is_cited_exists(folder: str) -> None:
    """A reader who follows "rule 7" finds it."""
    rules = rules_on(PAGE.read_text())
    texts = {path: path.read_text() for path in (ROOT / folder).rglob("*") if path.suffix in KINDS}

    missing = {str(path.relative_to(ROOT)): set(citations(text)) - rules for path, text in texts.items()}

    assert {path: numbers for path, numbers in missing.items() if numbers} == {}


def test_citations_are_found() -> None:
    """The search does not pass by finding nothing."""
    assert citations("Rules 1, 4, 7 and 11: see (rule 8)") == [1, 4, 7, 11, 8]
