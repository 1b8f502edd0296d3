"""Runs as files, and a database moved, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import perdure
from tests.cli.conftest import Perdure
from tests.cli.programs import quadruple


def test_a_run_goes_through_a_file(command: Perdure, store_url: str, client: perdure.Client, tmp_path: Path) -> None:
    """Written, read where it is not, and refused where it is, each with its exit code."""
    with perdure.running(store_url, poll_seconds=0.05):
        perdure.with_options(id="r").start(quadruple, 3).result(timeout=60)
    file, other = str(tmp_path / "r.json"), str(tmp_path / "other.db")
    with perdure.Client(other) as there:
        there.migrate()
    assert command("export", "r", "--children", "--output", file).code == 0
    assert json.loads(command("export", "r").out)["tables"]["outputs"][0]["body"] == "12"
    assert command("export", "r", "--output", file).code == 2
    assert command("export", "nobody").code == 3
    said = command("import", file, url=other)
    assert (said.code, said.out) == (0, "imported: r and 1 more\n")
    again = command("import", file, "--json", url=other)
    assert (again.code, "is there already, and nothing was imported" in again.json["error"]) == (2, True)
    assert command("import", str(tmp_path / "nothing.json")).code == 2
    Path(file).write_text("{}", encoding="utf-8")
    assert "no file of runs" in command("import", file).err
    assert command("runs", "show", "r", "--json", url=other).json["output"] == "12"


def test_a_database_is_moved(command: Perdure, store_url: str, client: perdure.Client, tmp_path: Path) -> None:
    """Where nobody works; else it says who does."""
    source, target = str(tmp_path / "source.db"), str(tmp_path / "target.db")
    with perdure.running(source, poll_seconds=0.05):
        perdure.with_options(id="r").start(quadruple, 3).result(timeout=60)
        refused = command("move", source, target)
        assert (refused.code, "works on it" in refused.err) == (4, True)
    said = command("move", source, target, "--json")
    assert (said.code, said.json["moved"]["runs"]) == (0, 2)
    closed = command("runs", "list", url=source)
    assert (closed.code, "was moved to another database" in closed.err) == (4, True)
    assert command("runs", "show", "r", "--json", url=target).json["output"] == "12"
