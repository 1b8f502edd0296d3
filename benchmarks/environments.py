"""The two environments of the contestants: the same Python, the same driver, each with its own locked packages.

DBOS 3.4 on Python 3.12 and newer needs SQLite 3.42 (its tables use `unixepoch('subsec')`). Where the SQLite that comes
with this Python is older, both contestants get a Python 3.11 instead, so that they can be compared on the same.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
CONTESTANTS = ("perdure", "dbos")
sys.path.insert(0, str(ROOT / "tools"))
import bootstrap  # noqa: E402  # the set-up's own way to find a Python
import environment  # noqa: E402  # and a pip

SUITABLE = """
import sqlite3, sys
sys.exit(0 if sys.version_info[:2] == (3, 11) or sqlite3.sqlite_version_info >= (3, 42) else 1)
"""


def python_of(contestant: str) -> Path:
    """The interpreter that runs a contestant's programs; the raw ones need what Perdure needs."""
    name = "dbos" if contestant == "dbos" else "perdure"
    return CACHE / f"{name}-venv" / "bin" / "python"


def prepare() -> None:
    """Bring both environments up to date with their lock files; nothing is fetched where they are."""
    base = choose_python()
    for name in CONTESTANTS:
        lock = ROOT / "benchmarks" / f"{name}.txt"
        stamp = CACHE / f"{name}-venv" / "stamp"
        wanted = hashlib.sha256(lock.read_bytes() + base.encode()).hexdigest()
        if stamp.exists() and stamp.read_text() == wanted:
            continue
        print(f"benchmarks: making the environment of {name}", flush=True)
        shutil.rmtree(stamp.parent, ignore_errors=True)
        subprocess.run([base, "-m", "venv", "--without-pip", str(stamp.parent)], check=True)  # noqa: S603  # our own
        pip = [*neighbour_pip(), "--python", str(python_of(name))]
        environment.install(pip, "--no-deps", "--require-hashes", "--only-binary", ":all:", "--requirement", str(lock))
        stamp.write_text(wanted)


def choose_python() -> str:
    """This Python where DBOS can use its SQLite, else a 3.11; the base one, not that of a virtual environment."""
    here = bootstrap.probe(sys.executable)
    candidates = [here[1]] if here else []
    candidates += [path for path in bootstrap.candidates() if Path(path).name.startswith("python3.11")]
    for path in candidates:
        if subprocess.run([path, "-I", "-c", SUITABLE], capture_output=True, check=False).returncode == 0:  # noqa: S603  # our own
            probed = bootstrap.probe(path)
            return str(probed[1]) if probed else path
    environment.bootstrap.stop(
        "DBOS needs SQLite 3.42 on Python 3.12 and newer; the SQLite here is older, and no Python 3.11 was found"
    )
    raise AssertionError


def neighbour_pip() -> list[str]:
    """A pip that can install into another interpreter's environment."""
    for pip in environment.pips_around():
        version = environment.version_of(pip)
        if version is not None and version >= environment.PIP_THAT_CAN_AIM:
            return list(pip)
    environment.bootstrap.stop("no pip 22.3 or newer was found; install one and run this again")
    raise AssertionError
