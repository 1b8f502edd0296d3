"""Whether rows may be inserted: what is no row of these tables is refused before anything is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ...errors import StoreRefusedError
from .columns import OWN, Row, unheld
from .filling import Filling
from .protocol import Rows
from .tables import KNOWN, OF_RUNS, Table


def insertable(rows: Rows, filling: Filling) -> Iterator[tuple[Table, list[Row]]]:
    """Table by table, what is to be inserted. Raises `StoreRefusedError`."""
    unknown = [name for name in rows if name not in KNOWN]
    if unknown:
        raise StoreRefusedError(f"there is no table {', '.join(unknown)} here: a newer Perdure has written this")
    ids = {*ids_of(rows)}
    for name, table in KNOWN.items():
        given = [dict(row) for row in rows.get(name, ())]
        if not given:
            continue
        if ids and table in OF_RUNS and any(row.get(table.key) not in ids for row in given):
            raise StoreRefusedError(f"the table {name} has rows of runs that are not among the runs")
        columns = {column for row in given for column in row} - OWN
        strange = columns - {*filling.columns(table)}
        if strange:
            raise StoreRefusedError(
                f"the table {name} has no column {', '.join(sorted(strange))}: a newer Perdure has written this"
            )
        if any(columns - row.keys() for row in given):
            raise StoreRefusedError(f"rows of the table {name} do not have the same columns")
        yield table, [unheld(row) for row in given] if name == "runs" else given


def ids_of(rows: Rows) -> list[str]:
    """The runs among them."""
    return [row["id"] for row in rows.get("runs", ())]


def are_the_same(rows: Rows, known: Mapping[str, Any]) -> bool:
    """Whether all these runs are known, made at the same time."""
    return all(
        row["id"] in known and abs(float(known[row["id"]]) - row["created_at"]) < 0.001 for row in rows.get("runs", ())
    )
