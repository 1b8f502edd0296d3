"""`perdure runs list`: the newest runs of which all is so that is said."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from ... import Client, RunSummary
from ..command import DONE, Command, Context
from ..filters import add_filter, filter_of
from ..times import between, since

MOST_TOGETHER = 1_000
COLUMNS = ("id", "name", "status", "queue", "made", "took", "reason")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The filter, and how many."""
    add_filter(parser)
    parser.add_argument("--limit", type=int, default=20, help="so many at most (20)")
    parser.add_argument("--cursor", help="go on where a page before has ended; it is printed there")


def run(context: Context) -> int:
    """Look until there are so many, or nothing more: a page may be empty and have a cursor."""
    arguments = context.arguments
    found: list[RunSummary] = []
    cursor: str | None = arguments.cursor
    with context.client() as client:
        while True:
            left = min(MOST_TOGETHER, arguments.limit - len(found))
            page = client.runs.list(limit=left, cursor=cursor, **filter_of(arguments))
            found += with_errors(client, page.runs)
            cursor = page.cursor
            if cursor is None or len(found) >= arguments.limit:
                break
    if context.screen.is_json:
        context.screen.json({"runs": found, "cursor": cursor})
        return DONE
    context.screen.table(COLUMNS, rows_of(found))
    if not found:
        context.screen.note("no run is found by this")
    elif cursor is not None:
        context.screen.note(f"there are more: --cursor {cursor}")
    return DONE


def with_errors(client: Client, runs: Sequence[RunSummary]) -> list[RunSummary]:
    """Of those that have failed, the error is the reason."""
    errors = client.runs.errors(*(run.run_id for run in runs if run.status == "failed" and not run.reason))
    return [replace(run, reason=run.reason or errors.get(run.run_id)) for run in runs]


def rows_of(runs: Sequence[RunSummary]) -> list[Sequence[object]]:
    """A row for each run."""
    return [
        (
            run.run_id,
            run.name,
            run.status,
            run.queue,
            since(run.created_at),
            between(run.started_at, run.finished_at),
            first_line(run.reason),
        )
        for run in runs
    ]


def first_line(text: str | None, most: int = 60) -> str | None:
    """The beginning of a text, on one line."""
    if text is None:
        return None
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


COMMAND = Command(
    "runs list",
    "The newest runs, by what they are.",
    "perdure runs list --status failed --since 2h --workflow app:index",
    add_arguments,
    run,
)
