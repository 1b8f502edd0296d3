"""`perdure schedules resume`: let one go on that was paused."""

from __future__ import annotations

import argparse

from ..command import DONE, Command, Context
from .schedules_list import when


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which."""
    parser.add_argument("name", metavar="NAME", help="the schedule")


def run(context: Context) -> int:
    """Do it, and say what is so now."""
    name, screen = context.arguments.name, context.screen
    with context.client() as client:
        schedule = client.schedules.resume(name)
    if screen.is_json:
        screen.json({"schedule": schedule})
    else:
        screen.line(f"{name} goes on: next {when(schedule)}")
    return DONE


COMMAND = Command(
    "schedules resume", "Let a schedule go on that was paused.", "perdure schedules resume nightly", add_arguments, run
)
