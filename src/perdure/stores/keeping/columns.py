"""A row as both kinds of database give and take it: a mapping from columns to what JSON can say.

Times are seconds since the epoch. What differs between the two is told by a column's name; a test compares with the
types that Postgres has.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, Literal

Row = dict[str, Any]
Kind = Literal["plain", "time", "flag", "list", "json"]

_TIMES: Final = frozenset({"at", "next_instant", "last_instant"})
_FLAGS: Final = frozenset({"dedup_until_start"})
OWN: Final = frozenset({"seq", "line_from"})
"""What each database numbers by itself."""
OF_HOLDERS: Final = ("worker", "claim", "has_slot")
"""Who holds a run is in no other database."""


def kind_of(column: str, table: str = "") -> Kind:
    """How the two say it."""
    if (table, column) == ("queues", "declared"):
        return "json"
    if column.endswith("_at") or column in _TIMES:
        return "time"
    if column.startswith(("is_", "has_")) or column in _FLAGS:
        return "flag"
    if column == "refused_by":
        return "list"
    return "json" if column == "waits_for" else "plain"


def from_sqlite(row: Row, table: str) -> Row:
    """A row of a file: times come as texts, for its JSON has fifteen digits only."""
    return {column: _from_sqlite(kind_of(column, table), value) for column, value in row.items()}


def _from_sqlite(kind: Kind, value: Any) -> Any:
    if value is None or kind == "plain":
        return value
    return float(value) if kind == "time" else bool(value) if kind == "flag" else json.loads(value)


def to_sqlite(row: Row, table: str) -> Row:
    """The same back."""
    return {
        column: json.dumps(value) if kind_of(column, table) in ("list", "json") and value is not None else value
        for column, value in row.items()
    }


def from_postgres(row: Row) -> Row:
    """A row of a server: times come as ISO 8601 says them."""
    return {
        column: datetime.fromisoformat(value).timestamp() if kind_of(column) == "time" and value is not None else value
        for column, value in row.items()
    }


def to_postgres(row: Row) -> Row:
    """The same back."""
    return {
        column: datetime.fromtimestamp(value, UTC).isoformat()
        if kind_of(column) == "time" and value is not None
        else value
        for column, value in row.items()
    }


def unheld(row: Row) -> Row:
    """The row of a run as nobody holds it."""
    row = {**row, **dict.fromkeys(OF_HOLDERS)}
    if row["state"] == "held":
        row["state"] = "ready"
    return row
