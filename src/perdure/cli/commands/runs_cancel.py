"""`perdure runs cancel`: end one run, or every unfinished run that a filter finds, after showing which."""

from __future__ import annotations

import argparse
import sys

from ... import Affected, UsageError
from ..command import DONE, NOT_SO, Command, Context
from ..filters import add_filter, filter_of

SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Ids, or a filter."""
    parser.add_argument("run_ids", metavar="ID", nargs="*", help="these runs; without ids, those that a filter finds")
    add_filter(parser)
    parser.add_argument("--dry-run", action="store_true", help="say which they would be, and end none")
    parser.add_argument("--yes", action="store_true", help="do not ask before runs that a filter finds are ended")


def run(context: Context) -> int:
    """By id or by filter, not both."""
    arguments, wanted = context.arguments, filter_of(context.arguments)
    if bool(arguments.run_ids) == bool(wanted):
        raise UsageError("runs cancel: give ids, or a filter such as --workflow, and not both")
    return by_id(context) if arguments.run_ids else by_filter(context)


def by_id(context: Context) -> int:
    """Each of them. An id that nobody has ends it, before anything is done."""
    ids, screen = context.arguments.run_ids, context.screen
    with context.client() as client:
        states = {run_id: client.handle(run_id).status() for run_id in ids}
        ended = {}
        for run_id in ids:
            ended[run_id] = not context.arguments.dry_run and client.runs.cancel(run_id)
        after = {run_id: client.handle(run_id).status() for run_id in ids}
    if screen.is_json:
        screen.json({"cancelled": [run_id for run_id in ids if ended[run_id]], "status": after})
    else:
        for run_id in ids:
            if context.arguments.dry_run:
                screen.line(f"{run_id} is {states[run_id]}")
            else:
                screen.line(f"{run_id}: {after[run_id]}" if ended[run_id] else f"{run_id} had ended: {after[run_id]}")
    return DONE if context.arguments.dry_run or any(ended.values()) else NOT_SO


def by_filter(context: Context) -> int:
    """First which, then whether, then the deed."""
    arguments, screen, wanted = context.arguments, context.screen, filter_of(context.arguments)
    with context.client() as client:
        preview = client.runs.cancel(dry_run=True, **wanted)
        is_to_be = preview.count > 0 and not arguments.dry_run and (arguments.yes or is_confirmed(context, preview))
        done = client.runs.cancel(**wanted) if is_to_be else preview
    if screen.is_json:
        screen.json(done)
    elif not preview.count:
        screen.note("no unfinished run is found by this")
    elif done.dry_run:
        screen.line(f"{runs_of(preview.count)} would be ended:")
        for run_id in preview.run_ids[:SHOWN]:
            screen.line(f"  {run_id}")
        if preview.count > SHOWN:
            screen.line(f"  … and {preview.count - SHOWN} more")
    else:
        screen.line(f"cancelled: {runs_of(done.count)}; one that a worker holds ends when its code returns")
    return DONE if preview.count and (arguments.dry_run or not done.dry_run) else NOT_SO


def runs_of(count: int) -> str:
    """So many."""
    return f"{count} run{'' if count == 1 else 's'}"


def is_confirmed(context: Context, preview: Affected) -> bool:
    """Ask, where somebody can answer; nobody is asked in a pipe, and nothing is done there without `--yes`."""
    if not (sys.stdin.isatty() and context.screen.is_terminal):
        context.screen.note("nothing is ended: give --yes")
        return False
    first = ", ".join(preview.run_ids[:3])
    sys.stderr.write(f"End {runs_of(preview.count)} ({first}{', …' if preview.count > 3 else ''})? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


COMMAND = Command(
    "runs cancel",
    "End runs and their children.",
    "perdure runs cancel --workflow app:index --status ready --dry-run",
    add_arguments,
    run,
)
