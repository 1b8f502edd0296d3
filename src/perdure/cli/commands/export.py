"""`perdure export`: one run with its history as a file."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ... import UsageError
from ..command import DONE, Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and where to."""
    parser.add_argument("run_id", metavar="RUN", help="the run's id")
    parser.add_argument("--children", action="store_true", help="the runs that it has made, too")
    parser.add_argument("--output", metavar="FILE", help="write it there, and not on standard output")


def run(context: Context) -> int:
    """A document of JSON, with `--json` or without."""
    arguments = context.arguments
    with context.client() as client:
        text = json.dumps(client.export_run(arguments.run_id, children=arguments.children))
    if arguments.output is None:
        context.screen.write(text + "\n")
        return DONE
    try:
        with Path(arguments.output).open("x", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise UsageError(f"{arguments.output} cannot be written: {error.strerror}") from error
    context.screen.note(f"run {arguments.run_id} is in {arguments.output}")
    return DONE


COMMAND = Command(
    "export", "Write a run with its history into a file.", "perdure export order-17 > order-17.json", add_arguments, run
)
