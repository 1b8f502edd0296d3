"""The reference of the command line: what every command says of itself under `--help`."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Iterator
from importlib.util import find_spec

SHOWN_COLUMNS = "96"


def page() -> str | None:
    """The page of all commands; None in a package without any."""
    if find_spec("perdure.cli") is None:
        return None
    command, main = (importlib.import_module(f"perdure.cli.{name}") for name in ("command", "main"))
    os.environ["COLUMNS"] = SHOWN_COLUMNS  # argparse asks the terminal otherwise
    top = main.parser_of(command.all_commands())
    parts = [
        "# Commands",
        "What each command says under `--help`. What they are for: [the command line](../guide/command-line.md).",
        help_of(top),
    ]
    for parser in commands_of(top):
        anchor = parser.prog.replace(" ", "-")
        parts += [f"## `{parser.prog}` {{ #command-{anchor} }}", help_of(parser)]
    return "\n\n".join(parts) + "\n"


def commands_of(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers of the commands themselves, below groups of commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from list(commands_of(below)) or [below]


def help_of(parser: argparse.ArgumentParser) -> str:
    """Its help, as it is printed."""
    return f"```text\n{parser.format_help().rstrip()}\n```"
