"""The order of the whole suite: what takes longest begins first, so that no worker is left with it at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

LONGEST_FIRST = ("processes", "example", "stores", "conformance", "identity", "costs", "model", "benchmarks")
"""Folders by the time they take. What is not named comes last; inside a folder files and tests stay as they were."""


def rank(path: Path) -> int:
    """The place of the file's folder."""
    folder = path.relative_to(Path(__file__).parent).parts[0]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them in order; fixtures of a module or session are still made once, since files stay together."""
    items.sort(key=lambda item: rank(item.path))
