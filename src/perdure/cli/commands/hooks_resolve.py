"""`perdure hooks resolve`: answer a hook with JSON."""

from __future__ import annotations

import argparse
import json

from ... import UsageError
from ..command import DONE, Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The token and the answer."""
    parser.add_argument("token", metavar="TOKEN")
    parser.add_argument("answer", metavar="JSON", help="""such as 'true' or '{"approved": true}'""")


def run(context: Context) -> int:
    """One answer, checked by what the hook waits for."""
    token = context.arguments.token
    try:
        value = json.loads(context.arguments.answer)
    except ValueError as error:
        raise UsageError(f"hooks resolve: the answer is no JSON: {error}") from error
    with context.client() as client:
        client.resolve(token, value)
    if context.screen.is_json:
        context.screen.json({"resolved": token})
    else:
        context.screen.line(f"{token} is resolved")
    return DONE


COMMAND = Command(
    "hooks resolve", "Answer a hook.", """perdure hooks resolve TOKEN '{"approved": true}'""", add_arguments, run
)
