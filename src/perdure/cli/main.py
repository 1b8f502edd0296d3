"""From the command line to a command, and from what goes wrong to an exit code and a sentence."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import NoReturn

from .. import (
    HookError,
    HookNotFoundError,
    RunNotFoundError,
    ScheduleNotFoundError,
    StoreError,
    UsageError,
    __version__,
)
from .command import DONE, INTERRUPTED, MISUSED, NO_DATABASE, NOT_FOUND, NOT_SO, Command, Context, all_commands
from .screen import Screen

CODES = """exit codes: 0 done; 1 what was asked about is not so (doctor found something, nothing to cancel, a hook was
answered before), or the output cannot be written; 2 written wrong; 3 no such run, hook or schedule; 4 the database
cannot be used; 130 interrupted"""


def main(given: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    arguments, rest = parser_of(all_commands()).parse_known_args(given)
    if rest:
        arguments.parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a pipe's encoding may know no trees, or no such names
    screen = Screen(is_json=arguments.json, is_plain=arguments.plain)
    command: Command = arguments.command
    try:
        code = done_by(command, Context(arguments, screen, arguments.url))
        screen.flush()
    except BrokenPipeError:  # whoever reads has seen enough
        forget_output()
        return DONE
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        if error.filename is not None:  # of a file that is not the output
            raise
        forget_output()
        screen.note(f"perdure: the output cannot be written: {error.strerror or error}")
        return NOT_SO
    return code


def done_by(command: Command, context: Context) -> int:
    """The exit code of the command, which says what went wrong."""
    try:
        return command.run(context)
    except (UsageError, RunNotFoundError, HookError, StoreError) as error:
        code = code_of(error)
        complain(context.screen, error, code)
        return code


def forget_output() -> None:
    """What was not written yet will not be: at its end Python would fail by it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def code_of(error: Exception) -> int:
    """By which a script tells what went wrong."""
    if isinstance(error, (RunNotFoundError, HookNotFoundError, ScheduleNotFoundError)):
        return NOT_FOUND
    if isinstance(error, UsageError):
        return MISUSED
    return NOT_SO if isinstance(error, HookError) else NO_DATABASE


def complain(screen: Screen, error: Exception, code: int) -> None:
    """Say it once: as JSON where that is asked for."""
    if screen.is_json:
        screen.json({"error": str(error), "code": code})
    screen.note(f"perdure: {error}")


class Parser(argparse.ArgumentParser):
    """Says what is wrong and where the help is, in two lines."""

    def error(self, message: str) -> NoReturn:
        """End with the code of a misuse."""
        self.exit(MISUSED, f"{self.prog}: {message}\n{self.prog} --help shows how it is written\n")


def parser_of(commands: Sequence[Command]) -> Parser:
    """The parser of all commands."""
    shared = Parser(
        add_help=False, argument_default=argparse.SUPPRESS
    )  # else it forgets what stands before the command
    add_shared(shared)
    parser = Parser(
        prog="perdure",
        description="Looks at the runs of a Perdure database, ends them, works on them, and says what is wrong.",
        epilog=CODES,
    )
    add_shared(parser)
    parser.set_defaults(url=None, json=False, plain=False)
    parser.add_argument("--version", action="version", version=f"perdure {__version__}")
    top = parser.add_subparsers(metavar="COMMAND", required=True)
    groups: dict[str, argparse._SubParsersAction[Parser]] = {}
    for command in commands:
        first, _, second = command.name.partition(" ")
        under = top
        if second:
            if first not in groups:
                summary = f"{first}: {', '.join(one.name.partition(' ')[2] for one in of_group(commands, first))}"
                made = top.add_parser(first, help=summary, description=summary, epilog=CODES)
                groups[first] = made.add_subparsers(metavar="WHAT", required=True)
            under = groups[first]
        own = under.add_parser(
            second or first,
            parents=[shared],
            help=command.summary,
            description=command.summary,
            epilog=f"example:\n  {command.example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.add_arguments(own)
        own.set_defaults(command=command, parser=own)
    return parser


def add_shared(parser: argparse.ArgumentParser) -> None:
    """What may stand before the command and behind it."""
    group = parser.add_argument_group("everywhere")
    group.add_argument(
        "--url",
        help="the database: a path, sqlite:///…, postgresql://…; else the variable PERDURE_URL, else perdure.db here",
    )
    group.add_argument("--json", action="store_const", const=True, help="write JSON, for programs")
    group.add_argument("--plain", action="store_const", const=True, help="no colours on a terminal, either")


def of_group(commands: Sequence[Command], first: str) -> list[Command]:
    """The commands of two words that begin with this one."""
    return [command for command in commands if command.name.startswith(f"{first} ")]
