"""`perdure schedules trigger`: start a run of one now."""

from __future__ import annotations

import argparse

from ..command import DONE, Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which."""
    parser.add_argument("name", metavar="NAME", help="the schedule")


def run(context: Context) -> int:
    """Do it, and say what is so now."""
    name, screen = context.arguments.name, context.screen
    with context.client() as client:
        run_id = client.schedules.trigger(name).run_id
    if screen.is_json:
        screen.json({"run_id": run_id})
    else:
        screen.line(run_id)
    return DONE


COMMAND = Command(
    "schedules trigger", "Start a run of a schedule now.", "perdure schedules trigger nightly", add_arguments, run
)
