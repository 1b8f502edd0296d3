"""An archive: runs as lines of JSON, in a file of this process for each day, durable when `write` returns.

Only this process writes its files. Where it dies between a line and the removal of the run, another process removes the
run later, and writes it once more: a run may be there twice, and is never lost.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from ..._core.run_files import document_of
from ...errors import StoreError
from ...stores.protocol import Rows


class ArchiveError(StoreError):
    """A run cannot be written to the archive, so it is not removed."""


class Archive:
    """One folder; made when the first run is written."""

    def __init__(self, folder: str, worker_id: str) -> None:
        self._folder = Path(folder)
        self._worker_id = worker_id

    def write(self, rows: Rows) -> None:
        """A line for each of the runs. Raises `ArchiveError`, and then nothing of it counts."""
        now = time.time()
        lines = [json.dumps(document_of(one, now)) + "\n" for one in one_by_one(rows)]
        path = self._folder / f"{time.strftime('%Y-%m-%d', time.gmtime(now))}-{self._worker_id}.jsonl"
        try:
            self._append(path, "".join(lines).encode())
        except OSError as error:
            raise ArchiveError(f"runs cannot be written to the archive {path}, and stay: {error}") from error

    def _append(self, path: Path, data: bytes) -> None:
        is_new = not path.exists()
        if is_new:
            self._folder.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            end = file.tell()
            try:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, end)  # a line that is cut off would spoil the next one
                raise
        if is_new:
            folder = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def one_by_one(rows: Rows) -> list[Rows]:
    """Each run by itself."""
    keys = {"runs": "id", "waits": "waiter"}
    found: dict[str, dict[str, list[dict[str, object]]]] = {run["id"]: {"runs": [run]} for run in rows["runs"]}
    for table, of_table in rows.items():
        if table != "runs":
            for row in of_table:
                found[row[keys.get(table, "run_id")]].setdefault(table, []).append(row)
    return list(found.values())
