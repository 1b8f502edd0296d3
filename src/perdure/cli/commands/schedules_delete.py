"""`perdure schedules delete`: remove one."""

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
        is_declared = client.schedules.get(name).is_declared
        client.schedules.delete(name)
    if screen.is_json:
        screen.json({"deleted": name})
    else:
        screen.line(f"{name} is removed; runs that it has started go on")
    if is_declared:
        screen.note("the program declares it: it comes back with the next launch, unless that is taken out first")
    return DONE


COMMAND = Command(
    "schedules delete",
    "Remove a schedule; what it has started goes on.",
    "perdure schedules delete nightly",
    add_arguments,
    run,
)
