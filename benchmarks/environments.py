"""The two environments of the contestants: the same Python, the same driver, each with its own locked packages."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
CONTESTANTS = ("perdure", "dbos")
sys.path.insert(0, str(ROOT / "tools"))
import locked  # noqa: E402  # the set-up's own way to make an environment


def python_of(contestant: str) -> Path:
    """The interpreter that runs a contestant's programs; the raw ones need what Perdure needs."""
    name = "dbos" if contestant == "dbos" else "perdure"
    return locked.python_in(CACHE / f"{name}-venv")


def prepare() -> None:
    """Bring both environments up to date with their lock files; nothing is fetched where they are."""
    base = locked.python_for_dbos()
    for name in CONTESTANTS:
        locked.bring_up_to_date(CACHE / f"{name}-venv", ROOT / "benchmarks" / f"{name}.txt", base)
