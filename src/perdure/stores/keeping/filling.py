"""Statements for rows of any table: written once for each kind of database, filled in from what the tables have."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cache
from importlib.resources import files

from ..queries import Query, parse_queries
from .columns import OWN, kind_of
from .tables import Table


@cache
def templates(package: str) -> dict[str, Query]:
    """Those of one kind of database, by name."""
    source = files(package) / "tables" / "rows.sql"
    return {query.name: query for query in parse_queries(source.read_text(encoding="utf-8"), source.name)}


class Filling:
    """The texts for one database. `columns_of` asks it what a table has, once."""

    def __init__(self, package: str, columns_of: Callable[[str], Sequence[str]]) -> None:
        self._templates = templates(package)
        self._columns_of = columns_of
        self._columns: dict[str, Sequence[str]] = {}

    def columns(self, table: Table) -> Sequence[str]:
        """What the table has."""
        if table.name not in self._columns:
            self._columns[table.name] = self._columns_of(table.name)
        return self._columns[table.name]

    def read(self, name: str, table: Table) -> str:
        """A statement that gives rows."""
        text = self._templates[name].text
        if "{pairs}" in text:
            pairs = [self._pair(column) for column in self.columns(table)]
            text = text.replace("{pairs}", ", ".join(pairs))
        if "{columns}" in text:
            text = text.replace("{columns}", ", ".join(self.columns(table)))
        return text.replace("{table}", table.name).replace("{key}", table.key).replace("{order}", table.order)

    def insert(self, table: Table, given: Collection[str]) -> str:
        """A statement that inserts rows that have these columns."""
        columns, values = [], []
        for column in self.columns(table):
            if column in given and column not in OWN:
                columns.append(column)
                values.append(self._templates["value"].text.replace("{column}", column))
            elif column == "seq" and table.has_seq_of_run:
                columns.append(column)
                values.append(self._templates["value_of_run"].text)
        text = self._templates["insert_rows"].text.replace("{table}", table.name)
        return text.replace("{columns}", ", ".join(columns)).replace("{values}", ", ".join(values))

    def _pair(self, column: str) -> str:
        name = "time_pair" if kind_of(column) == "time" and "time_pair" in self._templates else "pair"
        return self._templates[name].text.replace("{column}", column)
