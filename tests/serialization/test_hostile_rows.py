"""Rows are data, never code: whatever stands in the database, reading it runs nothing and imports nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def read_rows(directory: Path, *options: str) -> dict[str, Any]:
    """What the reading program, in a process of its own, says."""
    script = Path(__file__).with_name("read_hostile_rows.py")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, script, *options]
    done = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def test_hostile_rows_are_refused_and_nothing_is_run(tmp_path: Path) -> None:
    """Gadgets of all kinds, with every tag, under every codec, nested in valid values, under an audit hook.

    Only `SerializationError` comes out, or a harmless value; no import, no exec, no file, no process, and none of the
    known classes' own methods; a hundred thousand levels of nesting do not end the interpreter.
    """
    outcome = read_rows(tmp_path)
    assert outcome["events"] == []
    assert outcome["called"] == []
    assert outcome["wrong"] == []
    assert outcome["refused"] > 10_000
    assert outcome["read"] > 100
    assert list(tmp_path.iterdir()) == []


def test_the_check_of_hostile_rows_can_fail(tmp_path: Path) -> None:
    """With pickle named, the gadget is called and the hook sees it: so the check above looks where it should."""
    outcome = read_rows(tmp_path, "--with-pickle")
    assert set(outcome["called"]) == {"spring"}
    assert any(event.startswith("pickle.find_class") for event in outcome["events"])
