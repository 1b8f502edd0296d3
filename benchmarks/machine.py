"""What was measured on and with: the machine, without its name, and the versions."""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmarks.databases import Databases
from benchmarks.environments import CACHE, CONTESTANTS, ROOT, python_of

VERSIONS = """
import importlib.metadata as m, json, platform, sqlite3
found = {d.metadata["Name"]: d.version for d in m.distributions()}
found |= {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
print(json.dumps(found))
"""
NAMED = ("Python", "SQLite", "dbos", "SQLAlchemy", "psycopg", "asyncpg", "msgspec")
QUEUES = ("pgqueuer", "procrastinate", "oban", "absurd-sdk", "uvloop")


def describe(databases: Databases, stores: Sequence[str], contestants: Sequence[str]) -> dict[str, str]:
    """Lines for the report, by what they tell."""
    found: dict[str, str] = {"processor": f"{processor()}, {os.cpu_count()} cores", "memory": memory()}
    found["system"] = f"{platform.system()} {platform.release()}, {platform.machine()}"
    found["file system"] = file_system()
    found["load at the beginning"] = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    found["Perdure"] = commit()
    for contestant in contestants:
        for store in stores:
            if contestant in CONTESTANTS and python_of(contestant, store).exists():
                found[f"environment of {contestant} on {store}"] = versions(python_of(contestant, store))
    settings = ", ".join(f"{name} = {value}" for name, value in databases.settings.items())
    found["Postgres"] = f"{databases.version}; {settings}"
    found["SQLite settings"] = "journal_mode = WAL, synchronous = FULL"
    return found


def processor() -> str:
    """The name that the processor gives itself."""
    cpus = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*:\s*(.+)$", cpus.read_text(), re.MULTILINE) if cpus.exists() else None
    return match[1] if match else platform.processor() or "unknown"


def memory() -> str:
    """How much there is."""
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / (1 << 30):.0f} GB"


def file_system() -> str:
    """Of the folder where both databases lie."""
    said = subprocess.run(["df", "-T", str(CACHE)], capture_output=True, text=True, check=False)  # noqa: S603, S607  # our own
    lines = said.stdout.splitlines()
    return lines[-1].split()[1] if said.returncode == 0 and len(lines) > 1 else "unknown"


def commit() -> str:
    """Which version of this checkout; `changed` where it has edits."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty=, changed"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or "unknown"


def versions(python: Path) -> str:
    """Of the interpreter and the packages that matter."""
    said = subprocess.run([str(python), "-c", VERSIONS], capture_output=True, text=True, check=True)  # noqa: S603  # our own
    found = json.loads(said.stdout)
    lower = {name.lower(): version for name, version in found.items()}
    return ", ".join(f"{name} {lower[name.lower()]}" for name in (*NAMED, *QUEUES) if name.lower() in lower)
