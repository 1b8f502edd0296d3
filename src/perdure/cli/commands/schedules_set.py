"""`perdure schedules set`: make a schedule, or change what is given of one."""

from __future__ import annotations

import argparse
import json
from datetime import datetime
from typing import Any

from ... import SerializationError, UsageError
from ..command import DONE, Command, Context
from ..times import moment
from .schedules_list import times_of, when


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All that can be said of one."""
    parser.add_argument("name", metavar="NAME", help="the schedule")
    parser.add_argument("--function", metavar="MODULE:NAME", help="the workflow or step; a new schedule needs it")
    parser.add_argument("--cron", metavar="LINE", help="minute, hour, day, month, weekday: '0 9 * * MON'")
    parser.add_argument("--timezone", metavar="ZONE", help="of the line: Europe/Berlin; else UTC")
    parser.add_argument("--every", type=float, metavar="SECONDS", help="again and again, counted from 1970")
    parser.add_argument("--at", type=moment, metavar="TIME", help="once: 2026-11-28T12:00")
    parser.add_argument("--args", metavar="JSON", help="""the run's arguments, as a list: '["a", 1]'""")
    parser.add_argument("--queue", metavar="NAME", help="the queue that its runs are submitted to")
    parser.add_argument("--jitter", type=float, metavar="SECONDS", help="each begins later by up to so much")
    parser.add_argument("--overlap", metavar="HOW", help="while one runs: skip, queue, cancel, allow")
    parser.add_argument("--catch-up", metavar="HOW", help="of what was missed: latest, all, skip")


def run(context: Context) -> int:
    """What is given, over what there is."""
    given, screen = context.arguments, context.screen
    names = ("cron", "timezone", "every", "at", "queue", "jitter", "overlap", "catch_up")
    options: dict[str, Any] = {name: value for name in names if (value := getattr(given, name)) is not None}
    if given.args is not None:
        options["args"] = arguments_of(given.args)
    if "at" in options and not isinstance(options["at"], datetime):
        raise UsageError("--at: give a time, such as 2026-11-28T12:00, in UTC unless it says a zone")
    with context.client() as client:
        try:
            schedule = client.schedules.set(given.name, given.function, **options)
        except (TypeError, SerializationError) as error:  # it is a function that this process knows
            raise UsageError(f"--args: {error}") from error
    if screen.is_json:
        screen.json({"schedule": schedule})
    else:
        screen.line(f"{schedule.name}: {times_of(schedule)} starts {schedule.function}; next {when(schedule)}")
    if schedule.trouble is not None:
        screen.note(f"{schedule.name}: {schedule.trouble}")
    return DONE


def arguments_of(text: str) -> list[Any]:
    """A list, as JSON."""
    try:
        read = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--args {text!r} is no JSON: {error}") from error
    if not isinstance(read, list):
        raise UsageError(f"--args {text!r} is no list: write one such as '[\"a\", 1]'")
    return read


COMMAND = Command(
    "schedules set",
    "Make a schedule, or change what is given of one.",
    "perdure schedules set nightly --function app:report --cron '0 2 * * *' --timezone Europe/Berlin",
    add_arguments,
    run,
)
