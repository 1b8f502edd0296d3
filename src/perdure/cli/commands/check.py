"""`perdure check`: before a deploy, whether the new code can go on with the runs that are under way."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from ..._api.checking import Checked, check_runs
from ..command import DONE, NOT_SO, Command, Context
from ..programs import program_of

SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to import, and what counts."""
    parser.add_argument("program", metavar="MODULE[:NAME]", help="the new code; NAME, a Perdure instance in it")
    parser.add_argument(
        "--known", action="store_true", help="leave out runs of functions that the program does not have"
    )


def run(context: Context) -> int:
    """Replay every unfinished run; which of them differ."""
    arguments, screen = context.arguments, context.screen
    app = program_of(arguments.program, context.url, handle_sigterm=False)
    count, differences = 0, list[Checked]()
    with silence():  # what differs is listed below
        for checked in check_runs(app):
            if checked.is_unknown and arguments.known:
                continue
            count += 1
            if checked.difference is not None:
                differences.append(checked)
    if screen.is_json:
        screen.json({"checked": count, "differences": [asdict(one) for one in differences]})
    else:
        for one in differences[:SHOWN]:
            screen.line(f"{one.run_id}  {one.name}", "red")
            screen.line(f"  {one.difference}")
        if len(differences) > SHOWN:
            screen.line(f"… and {len(differences) - SHOWN} more")
        screen.line(f"{count} unfinished runs were replayed; {len(differences)} cannot go on with this code")
        if differences:
            screen.note(
                "ask perdure.patched(...) where the code has changed, or let these runs end with the code of before"
            )
    return NOT_SO if differences else DONE


@contextmanager
def silence() -> Iterator[None]:
    """Our own log says nothing meanwhile."""
    log = logging.getLogger("perdure")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


COMMAND = Command(
    "check",
    "Whether the code of a program can go on with the runs that are under way: nothing is run, nothing written.",
    "perdure check app.main --url postgresql://app@db/app",
    add_arguments,
    run,
)
