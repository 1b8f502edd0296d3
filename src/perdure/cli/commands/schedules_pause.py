"""`perdure schedules pause`: let one start nothing until it is resumed."""

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
        schedule = client.schedules.pause(name)
    if screen.is_json:
        screen.json({"schedule": schedule})
    else:
        screen.line(f"{name} is paused; runs that it has started go on")
    return DONE


COMMAND = Command(
    "schedules pause",
    "Let a schedule start nothing until it is resumed.",
    "perdure schedules pause nightly",
    add_arguments,
    run,
)
