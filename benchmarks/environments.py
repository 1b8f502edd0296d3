"""The environments of the contestants: the same Python for all on one store, each with its own locked packages."""

from __future__ import annotations

import functools
import io
import subprocess
import sys
import tarfile
from collections.abc import Collection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
RIVALS = ("pgqueuer", "procrastinate", "oban", "absurd")
"""Queues of jobs on Postgres."""

CONTESTANTS = ("perdure", "dbos", *RIVALS)
BUILT = {"oban": "erlpack"}
"""What has no wheels."""
sys.path.insert(0, str(ROOT / "tools"))
import locked  # noqa: E402  # the set-up's own way to make an environment


def python_of(contestant: str, store: str) -> Path:
    """The interpreter that runs a contestant's programs; what has no environment needs what Perdure needs."""
    name = contestant if contestant in CONTESTANTS else "perdure"
    return locked.python_in(CACHE / f"{name}-{Path(base_of(store)).name}")


@functools.cache
def base_of(store: str) -> str:
    """The Python for all contestants on this store: this one, but where DBOS cannot use its SQLite."""
    return locked.python_for_dbos() if store == "sqlite" else locked.this_python()


def prepare(stores: Collection[str], contestants: Collection[str]) -> None:
    """Bring these environments up to date with their lock files; nothing is fetched where they are."""
    for store in stores:
        for name in CONTESTANTS:
            if name == "perdure" or name in contestants:
                folder = python_of(name, store).parents[1]
                lock = ROOT / "benchmarks" / f"{name}.txt"
                locked.bring_up_to_date(folder, lock, base_of(store), built=BUILT.get(name, ""))


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
