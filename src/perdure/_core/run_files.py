"""Runs as a document: what a file, or a line of an archive, holds of them. The format is on the page `retention`.

Columns are those of the tables, times are seconds since the epoch, stored values stay as they are stored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..errors import UsageError

FORMAT: Final = "perdure-runs"
VERSION: Final = 1

_Rows = Mapping[str, Sequence[dict[str, Any]]]


def document_of(rows: _Rows, written_at: float) -> dict[str, Any]:
    """These rows, by table. The first run is the one that the others belong to."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "run_id": rows["runs"][0]["id"],
        "written_at": written_at,
        "tables": {table: list(of_table) for table, of_table in rows.items() if of_table},
    }


def rows_in(document: object, where: str) -> _Rows:
    """The rows of a document. Raises `UsageError` for what is none, and for one of another version; `where` it is."""
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise UsageError(f"{where} is no file of runs: `perdure export` writes them")
    version = document.get("version")
    if version != VERSION:
        raise UsageError(f"{where} has the format's version {version!r}, this Perdure reads {VERSION}: upgrade Perdure")
    tables: Any = document.get("tables")
    is_sound = isinstance(tables, dict) and all(
        isinstance(rows, list) and all(isinstance(row, dict) for row in rows) for rows in tables.values()
    )
    if not is_sound or not tables.get("runs") or not all(_is_run(row) for row in tables["runs"]):
        raise UsageError(f"{where} is damaged: its tables are not what `perdure export` writes")
    found: _Rows = tables
    return found


def _is_run(row: Mapping[str, Any]) -> bool:
    return isinstance(row.get("id"), str) and isinstance(row.get("state"), str)


def documents_in(text: str, where: str) -> list[_Rows]:
    """Those of a file: one document, or a line for each. Raises `UsageError`. A last line that was cut off by the death
    of who wrote it is none.
    """
    try:
        return [rows_in(json.loads(text), where)]
    except ValueError:
        lines = text.splitlines()
    found: list[_Rows] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
        except ValueError as error:
            if number == len(lines) and not text.endswith("\n") and found:
                break
            raise UsageError(f"{where}, line {number}: this is no JSON: {error}") from None
        found.append(rows_in(document, f"{where}, line {number}"))
    if not found:
        raise UsageError(f"{where} is empty")
    return found


def together(documents: Sequence[_Rows], wanted: str | None, where: str) -> dict[str, list[dict[str, Any]]]:
    """All of these, or those with a run. Of a run that comes twice, the later one: an archive may have it twice."""
    chosen: dict[str, _Rows] = {}
    for rows in documents:
        ids = [row["id"] for row in rows["runs"]]
        if wanted is None or wanted in ids:
            for run_id in ids:
                chosen[run_id] = rows
    if not chosen:
        raise UsageError(f"there is no run {wanted} in {where}")
    merged: dict[str, list[dict[str, Any]]] = {}
    for rows in {id(rows): rows for rows in chosen.values()}.values():
        for table, of_table in rows.items():
            merged.setdefault(table, []).extend(of_table)
    return merged
