"""`perdure hooks reject`: answer a hook with an error."""

from __future__ import annotations

import argparse

from ..command import DONE, Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The token and the reason."""
    parser.add_argument("token", metavar="TOKEN")
    parser.add_argument("reason", metavar="REASON", help="what the workflow is told")


def run(context: Context) -> int:
    """The workflow gets a `HookRejectedError`."""
    token = context.arguments.token
    with context.client() as client:
        client.reject(token, context.arguments.reason)
    if context.screen.is_json:
        context.screen.json({"rejected": token})
    else:
        context.screen.line(f"{token} is rejected")
    return DONE


COMMAND = Command(
    "hooks reject", "Answer a hook with an error.", "perdure hooks reject TOKEN 'not today'", add_arguments, run
)
