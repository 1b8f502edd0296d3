"""The statements of this dialect: the named queries with their parameters made positional.

`sqlite3` binds a tuple several times faster than a dict. The texts are constants, so its statement cache holds them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

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
