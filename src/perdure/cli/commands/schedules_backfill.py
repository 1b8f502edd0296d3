"""`perdure schedules backfill`: start the runs that a schedule would have started in a span of time."""

from __future__ import annotations

import argparse
from datetime import timedelta

from ..command import DONE, NOT_SO, Command, Context
from ..times import moment

SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which, and of when."""
    parser.add_argument("name", metavar="NAME", help="the schedule")
    parser.add_argument(
        "--since", type=moment, required=True, metavar="TIME", help="from here: 2026-11-28T12:00, or 2d"
    )
    parser.add_argument("--until", type=moment, default=timedelta(), metavar="TIME", help="before this; else until now")
    parser.add_argument("--limit", type=int, default=1_000, metavar="N", help="refuse more runs than this (1000)")
    parser.add_argument("--dry-run", action="store_true", help="say which they would be, and start none")


def run(context: Context) -> int:
    """A run for each instant that has none."""
    given, screen = context.arguments, context.screen
    with context.client() as client:
        done = client.schedules.backfill(
            given.name, since=given.since, until=given.until, limit=given.limit, dry_run=given.dry_run
        )
    if screen.is_json:
        screen.json(done)
    elif not done.count:
        screen.note(f"{given.name} does not come in that span")
    else:
        screen.line(f"{done.count} instants {'would have' if done.dry_run else 'have'} a run now:")
        for run_id in done.run_ids[:SHOWN]:
            screen.line(f"  {run_id}")
        if done.count > SHOWN:
            screen.line(f"  … and {done.count - SHOWN} more")
    return DONE if done.count else NOT_SO


COMMAND = Command(
    "schedules backfill",
    "Start the runs that a schedule would have started in a span of time.",
    "perdure schedules backfill nightly --since 3d --dry-run",
    add_arguments,
    run,
)
