"""`perdure runs explain`: why a run does not go on, in words."""

from __future__ import annotations

import argparse

from ..command import DONE, Command, Context
from ..filters import whole_id


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run."""
    parser.add_argument("run_id", metavar="ID", help="the run's id, or the beginning of one that no other run has")


def run(context: Context) -> int:
    """A sentence a line."""
    with context.client() as client:
        found = client.runs.explain(whole_id(client, context.arguments.run_id))
        error = client.runs.get(found.run_id, limit=1).error if found.status == "failed" else None
    if context.screen.is_json:
        context.screen.json(found)
    else:
        context.screen.line(f"{found.run_id} is {found.status}")
        for sentence in found.sentences:
            context.screen.line(sentence)
        if error is not None:
            context.screen.line(error)
    return DONE


COMMAND = Command("runs explain", "Why a run does not go on.", "perdure runs explain 0193a5", add_arguments, run)
