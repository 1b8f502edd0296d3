"""Turns a page into a program: its Python blocks in order, each on the line where the page has it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ELSEWHERE = "<!-- environment: agents -->"
"""Stands on a page whose program needs packages that the lock does not have: `make agents` runs it."""

FENCE = re.compile(r"^```(\w*)\s*$")


def program_of(page: str) -> str:
    """The page with everything but its Python blocks blanked out, so that a traceback names the page's own lines."""
    lines = []
    language: str | None = None
    for line in page.splitlines():
        fence = FENCE.match(line)
        if fence and language is None:
            language = fence[1] or "text"
            lines.append("")
        elif line.startswith("```"):
            language = None
            lines.append("")
        else:
            lines.append(line if language == "python" else "")
    if language is not None:
        raise ValueError("a block is not closed")
    return "\n".join(lines) + "\n"


def run_page(page: str, folder: Path, *, warnings: str = "error") -> subprocess.CompletedProcess[str]:
    """Run the page's program in a fresh process whose current directory is `folder`; warnings are errors there
    too, unless they are said to be something else.
    """
    program = folder / "page.py"
    program.write_text(program_of(page), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-W", warnings, str(program)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
