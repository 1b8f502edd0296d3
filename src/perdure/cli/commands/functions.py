"""`perdure functions`: workflows and steps whose runs do not begin; pause one, and resume it."""

from __future__ import annotations

import argparse

from ... import UsageError
from ..command import DONE, NOT_SO, Command, Context
from ..times import since


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which function."""
    parser.add_argument(
        "action", nargs="?", default="list", choices=("list", "pause", "resume"), help="what to do (list)"
    )
    parser.add_argument("function", nargs="?", metavar="NAME", help="of which workflow or step, module:function")


def run(context: Context) -> int:
    """Those that are paused, or one change."""
    action, function = context.arguments.action, context.arguments.function
    if (action == "list") != (function is None):
        raise UsageError(f"functions {action}: give a name to pause or resume it, and none to list what is paused")
    code = DONE
    with context.client() as client:
        before = client.runs.paused_functions()
        if action == "pause":
            client.runs.pause_function(function)
        elif action == "resume":
            client.runs.resume_function(function)
            code = DONE if function in before else NOT_SO
        paused = client.runs.paused_functions()
    if context.screen.is_json:
        context.screen.json({"paused": paused})
        return code
    if code == NOT_SO:
        context.screen.note(f"{function} was not paused")
    context.screen.table(("paused", "for"), [(name, since(paused_at)) for name, paused_at in paused.items()])
    if not paused:
        context.screen.note("no function is paused")
    return code


COMMAND = Command(
    "functions",
    "The workflows and steps whose runs do not begin; pause and resume them.",
    "perdure functions pause shop:order",
    add_arguments,
    run,
)
