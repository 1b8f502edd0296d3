"""Which Pythons the tests can start: what one version recorded, another must replay."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

OTHER_PYTHON = Path(__file__).parents[1] / ".venv" / "other-python" / "bin" / "python"
"""Made by the set-up where the machine has another supported version."""


@cache
def interpreters() -> list[str]:
    """This Python and others that can run Perdure on both stores, the first of each version.

    `PERDURE_TEST_PYTHONS` names more, separated as in PATH.
    """
    named = os.environ.get("PERDURE_TEST_PYTHONS", "").split(os.pathsep)
    on_path = [shutil.which(f"python3.{minor}") for minor in (11, 12, 13, 14)]
    found = {(sys.version_info.major, sys.version_info.minor): sys.executable}
    for python in [one for one in [*named, str(OTHER_PYTHON), *on_path] if one]:
        if (version := version_of(python)) is not None:
            found.setdefault(version, python)
    return list(found.values())


def version_of(python: str) -> tuple[int, int] | None:
    """Its version, or None when it is not there or lacks a package."""
    command = [python, "-c", "import sys, msgspec, psycopg; print(*sys.version_info[:2])"]
    try:
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    if asked.returncode != 0:
        return None
    major, minor = asked.stdout.split()
    return int(major), int(minor)
