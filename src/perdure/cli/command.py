"""What a command is: a module in `commands`, with a `COMMAND`. A new command is a new file there, and nothing else."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .. import Client
from . import commands
from .screen import Screen

DONE: Final = 0
NOT_SO: Final = 1
"""What was asked about is not so: `doctor` found something, there was nothing to cancel."""
MISUSED: Final = 2
"""The command line is written wrong (argparse's own)."""
NOT_FOUND: Final = 3
"""There is no such run, hook or schedule."""
NO_DATABASE: Final = 4
"""The database cannot be used: it is not there, does not answer, or is another release's."""
INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Context:
    """What a command is given: its arguments, where it writes, and how it opens the database."""

    arguments: argparse.Namespace
    screen: Screen
    url: str | None

    def client(self) -> Client:
        """A client that makes nothing by itself."""
        return Client(self.url, migrate=False, patience_seconds=5.0)


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `name` may be two words, as in `runs list`. `run` returns the exit code."""

    name: str
    summary: str
    example: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Context], int]


def all_commands() -> list[Command]:
    """Those of the modules in `commands`, by name."""
    found = []
    for module in pkgutil.iter_modules(commands.__path__):
        command = getattr(importlib.import_module(f"{commands.__name__}.{module.name}"), "COMMAND", None)
        if isinstance(command, Command):
            found.append(command)
    return sorted(found, key=lambda command: command.name)
