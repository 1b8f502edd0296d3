"""Environments beside `.venv`, each made from a lock file of its own, for programs that must not share its packages.

DBOS on Python 3.12 and newer needs SQLite 3.42 (its tables use `unixepoch('subsec')`). Where the SQLite that comes with
this Python is older, whatever is compared with DBOS gets a Python 3.11, so that all have the same.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import bootstrap  # the set-up's own way to find a Python
import environment  # and a pip

SUITABLE = """
import sqlite3, sys
sys.exit(0 if sys.version_info[:2] == (3, 11) or sqlite3.sqlite_version_info >= (3, 42) else 1)
"""


def python_in(folder: Path) -> Path:
    """The interpreter of the environment in this folder."""
    return folder / "bin" / "python"


def bring_up_to_date(folder: Path, lock: Path, base: str, *, built: str = "") -> None:
    """Make the environment from its lock file, if it is not the one that this asks for; else nothing is fetched.

    `built`: the packages that come as source alone.
    """
    stamp = folder / "stamp"
    wanted = hashlib.sha256(lock.read_bytes() + base.encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    environment.say(f"making {folder.relative_to(bootstrap.ROOT)} (once; later runs fetch nothing)")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", "--without-pip", str(folder)], check=True)
    pip = [*environment.find_pip(), "--python", str(python_in(folder))]  # of two --python the last one counts
    binary = ["--only-binary", ":all:", *(["--no-binary", built] if built else [])]
    environment.install(pip, "--no-deps", "--require-hashes", *binary, "--requirement", str(lock))
    stamp.write_text(wanted)


def this_python() -> str:
    """The one that runs this; the base one, not that of a virtual environment."""
    here = bootstrap.probe(sys.executable)
    return str(here[1]) if here else sys.executable


def python_for_dbos() -> str:
    """This Python where DBOS can use its SQLite, else a 3.11; the base one, not that of a virtual environment."""
    here = bootstrap.probe(sys.executable)
    candidates = [here[1]] if here else []
    candidates += [path for path in bootstrap.candidates() if Path(path).name.startswith("python3.11")]
    for path in candidates:
        if subprocess.run([path, "-I", "-c", SUITABLE], capture_output=True, check=False).returncode == 0:
            probed = bootstrap.probe(path)
            return str(probed[1]) if probed else path
    bootstrap.stop(
        "DBOS needs SQLite 3.42 on Python 3.12 and newer; the SQLite here is older, and no Python 3.11 was found"
    )
    raise AssertionError
