"""`perdure migrate`: bring the schema up to date, or print the SQL that does so."""

from __future__ import annotations

import argparse

from ..command import DONE, Command, Context


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Run, or print."""
    parser.add_argument("--sql", action="store_true", help="print what is missing, and run nothing")


def run(context: Context) -> int:
    """Each worker does the same when it starts; this is for who would rather do it before."""
    screen = context.screen
    with context.client() as client:
        missing = client.missing_sql()
        if context.arguments.sql:
            if screen.is_json:
                screen.json({"sql": missing})
            elif missing:
                screen.write(missing)
            else:
                screen.note(f"{client.url} is up to date")
            return DONE
        client.migrate()
        if screen.is_json:
            screen.json({"changed": bool(missing)})
        else:
            screen.line(f"{client.url} is {'now' if missing else 'already'} up to date")
    return DONE


COMMAND = Command(
    "migrate",
    "Bring the schema up to date, or print the SQL.",
    "perdure migrate --sql > perdure.sql",
    add_arguments,
    run,
)
