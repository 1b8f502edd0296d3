"""The two services are the same file but for five lines."""

from __future__ import annotations

from difflib import unified_diff
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "document_indexing"
MOST_LINES = 5


def changes() -> list[str]:
    """The lines of the diff from the plain service to the durable one, without context."""
    before, after = ((EXAMPLE / name / "app.py").read_text().splitlines() for name in ("plain", "durable"))
    lines = unified_diff(before, after, "plain/app.py", "durable/app.py", lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_the_durable_service_changes_or_adds_at_most_five_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A changed line is one taken away and one put in its place, so the lines put in are what is counted."""
    added = [line for line in changes() if line.startswith("+")]
    removed = [line for line in changes() if line.startswith("-")]
    with capsys.disabled():
        print("\nplain/app.py -> durable/app.py:", *changes(), sep="\n  ")
    assert len(added) <= MOST_LINES
    assert len(removed) <= len(added)


def test_the_five_lines_are_those_that_the_readme_shows() -> None:
    """The README's diff is the real one."""
    readme = (EXAMPLE / "README.md").read_text().splitlines()
    assert [line for line in readme if line.startswith(("+", "-")) and not line.startswith("- ")] == changes()
