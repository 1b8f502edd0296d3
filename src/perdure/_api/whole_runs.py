"""Whole runs: taken out of a database as a document, put into one, and moved from one to another."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from .._core.absent import no_run
from .._core.run_files import document_of, documents_in, together
from ..errors import RunExistsError, StoreError, UsageError
from ..stores.keeping.protocol import RowsMeetError, Source
from ..stores.open import is_same, open_store, redact
from ..stores.protocol import Store
from ..typing import RunId

MOST_IN_A_FILE: Final = 10_000
AT_ONCE: Final = 200
"""So many runs are read and written together by a move."""


def export(store: Store, run_id: RunId, *, children: bool) -> dict[str, Any]:
    """The run as a document. Raises `RunNotFoundError`, and `UsageError` for a family that is too large."""
    ids = store.keeper.family(run_id, MOST_IN_A_FILE + 1) if children else [run_id]
    if len(ids) > MOST_IN_A_FILE:
        raise UsageError(
            f"run {run_id} has made more than {MOST_IN_A_FILE} runs: export it without them, or them alone"
        )
    rows = store.keeper.rows([run_id, *(one for one in ids if one != run_id)])
    runs = sorted(rows["runs"], key=lambda row: bool(row["id"] != run_id))
    if not runs or runs[0]["id"] != run_id:
        raise no_run(run_id)
    return document_of({**rows, "runs": runs}, time.time())


def import_text(store: Store, text: str, *, run_id: RunId | None, where: str) -> list[RunId]:
    """Put what a file holds into the database, all or nothing; the runs. Raises `UsageError` for what is no such file,
    `RunExistsError` where a run is there.
    """
    rows = together(documents_in(text, where), run_id, where)
    ids = [row["id"] for row in rows["runs"]]
    try:
        store.keeper.add(rows)
    except RowsMeetError as error:
        raise RunExistsError(
            f"{where}: {error}, and nothing was imported: delete that one first, or leave it", run_id=ids[0]
        ) from error
    return ids


def move(store: Store, url: str, target_url: str, tell: Callable[[int], None]) -> Mapping[str, int]:
    """All rows of one database into another, in one transaction there; how many, by table. Then the first is closed.
    What is set there under the same names, of queues and schedules, is replaced.

    Raises `UsageError` where a worker works on either, or runs of both have one id.
    """
    if is_same(url, target_url):
        raise UsageError(f"{redact(url)} is to be moved into itself, and nothing was: name another database")
    target = open_store(target_url)
    try:
        target.migrate()
        check_idle(target, target_url)
        with store.keeper.moving_out() as source:
            counts = source.counts()
            source.close_for(redact(target_url))  # before anything is there: it may be refused, and is done at the end
            if not is_there(source, target):
                copy(source, target, counts, tell)
    except RowsMeetError as error:
        raise UsageError(
            f"{redact(target_url)} has runs of the same ids ({error}), and nothing was moved: take a database "
            "that has none of them"
        ) from error
    finally:
        target.close()
    return counts


def check_idle(store: Store, url: str) -> None:
    """Raise `UsageError` where a worker has a row."""
    for worker in store.workers.all():
        raise UsageError(
            f"worker {worker.worker_id} (process {worker.pid} on {worker.hostname}) works on {redact(url)}, and "
            "nothing was moved: stop it. If its process is dead, start one worker there and stop it: it hands the "
            "runs back"
        )


def is_there(source: Source, target: Store) -> bool:
    """Whether an earlier move has copied everything and could not close the first database any more."""
    has_any = False
    with target.keeper.moving_in() as there:
        for ids in source.run_ids(AT_ONCE):
            has_any = True
            if not there.has({"runs": source.rows(ids)["runs"]}):
                return False
    return has_any


def copy(source: Source, target: Store, counts: Mapping[str, int], tell: Callable[[int], None]) -> None:
    """Everything, and compare the numbers before it is committed."""
    with target.keeper.moving_in() as there:
        settings = source.settings()
        there.forget(settings)
        before = there.counts()
        there.add(settings)
        moved = 0
        for ids in source.run_ids(AT_ONCE):
            there.add(source.rows(ids))
            moved += len(ids)
            tell(moved)
        after = there.counts()
        wrong = {table: (count, after[table] - before[table]) for table, count in counts.items()}
        wrong = {table: pair for table, pair in wrong.items() if pair[0] != pair[1]}
        if wrong:
            raise StoreError(f"the numbers of rows differ, so nothing was moved: {wrong}")
