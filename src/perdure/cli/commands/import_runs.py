"""`perdure import`: put runs of a file into the database."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ... import RunExistsError, UsageError
from ..command import DONE, Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which file."""
    parser.add_argument(
        "file", metavar="FILE", help="what `perdure export` has written, or an archive; -: standard input"
    )
    parser.add_argument("--run", metavar="ID", help="of an archive with many, the one with this run")


def run(context: Context) -> int:
    """All of it, or nothing."""
    arguments = context.arguments
    is_piped = arguments.file == "-"
    try:
        text = sys.stdin.read() if is_piped else Path(arguments.file).read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        raise UsageError(f"{arguments.file} cannot be read: {error}") from error
    with context.client() as client:
        try:
            ids = client.import_runs(text, run_id=arguments.run, where="standard input" if is_piped else arguments.file)
        except RunExistsError as error:
            raise UsageError(str(error)) from error
    if context.screen.is_json:
        context.screen.json({"imported": ids})
    else:
        context.screen.line(f"imported: {ids[0]}{f' and {len(ids) - 1} more' if ids[1:] else ''}")
    return DONE


COMMAND = Command("import", "Put runs of a file into the database.", "perdure import order-17.json", add_arguments, run)
