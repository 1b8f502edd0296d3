"""Named queries: SQL lives in `.sql` files, one per table and dialect, and is loaded from there by name.

A file is a row of queries, each opened by `-- name: <name>` and one line that says why it exists. Parameters are
written `:run_id` (SQLite) or `%(run_id)s` (Postgres). What several queries of a file share is a *part* of it, opened by
`-- part: <name>`, and stands in them as `{name}`. This module finds and splits; it runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from ..errors import UsageError

_HEADING = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_LITERAL = re.compile(r"'[^']*'")
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b|%\(([a-z_]+)\)s")


@dataclass(frozen=True, slots=True)
class Query:
    """One statement: why it exists, its text without comments, and its parameters in order of occurrence."""

    name: str
    why: str
    text: str
    parameters: tuple[str, ...]

    def numbered(self) -> str:
        """A Postgres statement with `$1`, `$2` … in the place of its parameters; each occurs once."""
        text = self.text
        for number, parameter in enumerate(self.parameters, 1):
            text = text.replace(f"%({parameter})s", f"${number}")
        return text


class Queries(Mapping[str, Query]):
    """The queries of one package, by name. An unknown name raises `KeyError`."""

    def __init__(self, queries: Mapping[str, Query]) -> None:
        self._queries = dict(queries)

    def __getitem__(self, name: str) -> Query:
        return self._queries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._queries)

    def __len__(self) -> int:
        return len(self._queries)


@cache
def load_queries(package: str) -> Queries:
    """All named queries in the `.sql` files of the package's folder `sql`, read once per process."""
    found: dict[str, Query] = {}
    for source in sorted((files(package) / "sql").iterdir(), key=lambda source: source.name):
        if source.name.endswith(".sql"):
            for query in parse_queries(source.read_text(encoding="utf-8"), source.name):
                if query.name in found:
                    raise UsageError(f"two queries of {package} are named {query.name!r}")
                found[query.name] = query
    return Queries(found)


def parse_queries(text: str, source: str) -> Iterator[Query]:
    """Split the text of one file; `source` names it in errors."""
    pieces = _HEADING.split(text)
    parts: dict[str, str] = {}
    for heading, name, body in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        first, _, rest = body.lstrip("\n").partition("\n")
        if not first.startswith("-- ") or not first[3:].strip():
            raise UsageError(f"{source}: the query {name!r} does not say why it exists (one comment line)")
        statement = _COMMENT.sub("", rest).strip().removesuffix(";")
        for part, shared in parts.items():
            statement = statement.replace(f"{{{part}}}", shared)
        if heading == "part":
            parts[name] = statement
            continue
        bare = _LITERAL.sub("''", statement)
        parameters = tuple(match[1] or match[2] for match in _PARAMETER.finditer(bare))
        yield Query(name, first[3:].strip(), statement, parameters)
