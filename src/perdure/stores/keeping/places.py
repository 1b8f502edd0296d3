"""Numbers that each database gives by itself. What refers to one is told by what it is the number of: a piece of a
stream lies behind a record of its run, and says by its key which.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from .columns import OWN, Row
from .protocol import Rows


def without_numbers(rows: Rows) -> dict[str, list[Row]]:
    """The rows of whole runs, as another database can take them."""
    if rows.get("streams"):
        records: dict[str, list[tuple[int, str]]] = {}
        for row in rows["checkpoints"]:
            records.setdefault(row["run_id"], []).append((row["seq"], row["key"]))
        for row in rows["streams"]:
            before = records.get(row["run_id"], [])
            place = bisect_right(before, row["behind"], key=lambda record: record[0])
            row["behind"] = before[place - 1][1] if place else None
    return {
        table: [{column: value for column, value in row.items() if column not in OWN} for row in of_table]
        for table, of_table in rows.items()
    }


def with_numbers(streams: Sequence[Row], seqs: Mapping[tuple[str, str], int]) -> list[Row]:
    """Pieces of streams, of runs whose records have these numbers."""
    return [{**row, "behind": seqs.get((row["run_id"], row["behind"] or ""), 0)} for row in streams]
