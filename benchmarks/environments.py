"""The two environments of the contestants: the same Python, the same driver, each with its own locked packages."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
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


def checkout(commit: str) -> Path:
    """The files of another commit of this repository, in the cache."""
    git = ["git", "-C", str(ROOT)]
    name = subprocess.run([*git, "rev-parse", f"{commit}^{{commit}}"], capture_output=True, text=True, check=True)  # noqa: S603  # our own
    folder = CACHE / f"before-{name.stdout.strip()[:12]}"
    if not folder.exists():
        files = subprocess.run([*git, "archive", name.stdout.strip()], capture_output=True, check=True)  # noqa: S603  # our own
        with tarfile.open(fileobj=io.BytesIO(files.stdout)) as archive:
            archive.extractall(folder, filter="data")
    return folder
