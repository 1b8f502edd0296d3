"""The statements of this dialect: the named queries with their parameters made positional.

`sqlite3` binds a tuple several times faster than a dict. The texts are constants, so its statement cache holds them.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ..kinds import Kind
from ..queries import load_queries

_NAMED = re.compile(r"('[^']*')|(?<![:\w]):[a-z_]+\b")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, its text with `?` and the names of its parameters, in that order (a name may come twice)."""

    name: str
    text: str
    parameters: tuple[str, ...]


@cache
def statements() -> dict[str, Statement]:
    """Every statement of the SQLite store, by name."""
    queries = load_queries(__package__ or "")
    return {query.name: _positional(query.name, query.text, query.parameters) for query in queries.values()}


def _positional(name: str, text: str, parameters: tuple[str, ...]) -> Statement:
    return Statement(name, _NAMED.sub(lambda match: match[1] or "?", text), parameters)


@cache
def for_rows(statement: Statement, count: int) -> str:
    """The text of an INSERT of one row, for so many."""
    row = statement.text[statement.text.rindex("(") :]
    return ", ".join([statement.text, *[row] * (count - 1)])


@cache
def decisions(kinds: tuple[Kind, ...]) -> tuple[str, ...]:
    """What a connection that writes makes for itself: temporary views and triggers, so that they are this release's,
    whatever others use the file. Those of an entry's kind are in the kind's own file.
    """
    here = files(__package__ or "") / "decisions"
    sources = [*sorted(here.iterdir(), key=lambda source: source.name)]
    for kind in kinds:
        folder = files(kind.folder.format(store="sqlite"))
        sources += [folder / f"{name}.sql" for name in (kind.name, *kind.folds)]
    sources.sort(key=lambda source: source.name != "section.sql")  # the view that the others are triggers of
    texts = [source.read_text(encoding="utf-8") for source in sources if source.name.endswith(".sql")]
    return tuple(statement for text in texts for statement in split(text))


@cache
def writing(kinds: tuple[Kind, ...]) -> tuple[str, ...]:
    """Of these only the view `section`, and what an insert of one of these kinds does."""
    here = files(__package__ or "") / "decisions"
    made = [next(split((here / "section.sql").read_text(encoding="utf-8")))]
    for kind in kinds:
        folder = files(kind.folder.format(store="sqlite"))
        for name in (kind.name, *kind.folds):
            made += split((folder / f"{name}.sql").read_text(encoding="utf-8"))
    return tuple(made)


def split(script: str) -> Iterator[str]:
    """The statements of a file."""
    statement = ""
    for line in script.splitlines(keepends=True):
        if statement or (line.strip() and not line.lstrip().startswith("--")):
            statement += line
            if sqlite3.complete_statement(statement):
                yield statement
                statement = ""
