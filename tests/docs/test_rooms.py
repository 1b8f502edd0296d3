"""The walks through the code name rooms that are there, with what is in them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "how-it-works" / "rooms.md"
ROOM = re.compile(r"^\| `([\w/.]+)` \| ((?:`[\w.]+` ?)+)\|", re.MULTILINE)
IN_SQL = re.compile(r"(?:FUNCTION perdure\.|TRIGGER |-- name: )(\w+)")


def walks() -> dict[str, tuple[int, list[tuple[str, list[str]]]]]:
    """By heading: how many rooms it says, and the rooms, each with its functions."""
    found = {}
    for part in PAGE.read_text().split("\n## ")[1:]:
        heading, _, rest = part.partition("\n")
        said = re.search(r"\((\d+) rooms", heading)
        assert said is not None, heading
        found[heading] = int(said[1]), [(room, re.findall(r"`([\w.]+)`", names)) for room, names in ROOM.findall(rest)]
    return found


def defined_in(path: Path) -> Iterator[str]:
    """The functions, classes and methods of a module; the functions, triggers and statements of a file of SQL."""
    text = path.read_text()
    if path.suffix == ".sql":
        yield from IN_SQL.findall(text)
        return
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        for inner in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{node.name}.{inner.name}"
            for target in inner.targets if isinstance(inner, ast.Assign) else ():
                yield f"{node.name}.{ast.unparse(target)}"
        if isinstance(node, ast.ClassDef):  # `self.poke = self._thread.poke`
            yield from (f"{node.name}.{name}" for name in re.findall(r"self\.(\w+) = ", ast.unparse(node)))


@pytest.mark.parametrize("heading", walks())
def test_every_room_of_a_walk_is_there(heading: str) -> None:
    """A reader who opens the file finds the function; and there are as many rooms as the heading says."""
    said, rooms = walks()[heading]
    missing = [
        f"{room}: {name}"
        for room, names in rooms
        for name in names
        if not (ROOT / "src/perdure" / room).exists() or name not in set(defined_in(ROOT / "src/perdure" / room))
    ]
    assert missing == []
    assert (said, len({room for room, _ in rooms})) == (len(rooms), len(rooms))


def test_both_databases_have_the_same_rooms() -> None:
    """What the page says of SQLite: a file of the same name."""
    rooms = {room for _, its in walks().values() for room, _ in its if room.startswith("stores/postgres/")}
    own = {
        "decisions/fence.sql": "a trigger of decisions/section.sql",
        "decisions/take_over.sql": "statements of sql/runs.sql",
        "decisions/cancels.sql": "statements of sql/messages.sql",
    }
    for room in rooms:
        name = room.removeprefix("stores/postgres/")
        assert (ROOT / "src/perdure/stores/sqlite" / name).exists() != (name in own), name
