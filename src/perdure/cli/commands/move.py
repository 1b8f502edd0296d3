"""`perdure move`: everything into another database, with the runs in flight."""

from __future__ import annotations

import argparse

from ... import Client
from ..command import DONE, Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """From where, and where to."""
    parser.add_argument("source", metavar="FROM", help="the database that there is")
    parser.add_argument("target", metavar="TO", help="the one that is to have it all")


def run(context: Context) -> int:
    """All or nothing; the numbers are compared before it is committed."""
    arguments, screen = context.arguments, context.screen

    def tell(moved: int) -> None:
        if screen.is_terminal and not screen.is_json:
            screen.note(f"{moved} runs")

    with Client(arguments.source, migrate=False) as client:
        moved = client.move_to(arguments.target, tell=tell)
        target = Client(arguments.target).url
    if screen.is_json:
        screen.json({"moved": moved, "to": target})
    else:
        for table, count in moved.items():
            screen.line(f"{table:<12} {count}")
        screen.line(f"{client.url} is closed; from now on it is {target}")
    return DONE


COMMAND = Command(
    "move",
    "Move everything into another database.",
    "perdure move sqlite:///app.db postgresql://app@db/app",
    add_arguments,
    run,
)
