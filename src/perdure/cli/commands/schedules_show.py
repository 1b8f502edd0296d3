"""`perdure schedules show`: one schedule, and when it comes."""

from __future__ import annotations

import argparse
from datetime import datetime
from zoneinfo import ZoneInfo

from ... import ScheduleSummary
from ..command import DONE, Command, Context
from .schedules_list import times_of, when


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which, and how far to look."""
    parser.add_argument("name", metavar="NAME", help="the schedule")
    parser.add_argument("--next", type=int, default=5, metavar="N", help="show so many instants (5)")


def run(context: Context) -> int:
    """All that is known of it."""
    name, screen = context.arguments.name, context.screen
    with context.client() as client:
        schedule = client.schedules.get(name)
        instants = client.schedules.instants(name, count=context.arguments.next)
    if screen.is_json:
        screen.json({"schedule": schedule, "instants": instants})
        return DONE
    arguments = "" if schedule.arguments == "[]" else schedule.arguments
    screen.line(f"{schedule.name}: {times_of(schedule)} starts {schedule.function}({arguments})")
    rows = [
        ("queue", schedule.queue or "(started)"),
        ("next", when(schedule)),
        ("while one runs", schedule.overlap),
        ("what was missed", schedule.catch_up),
        ("jitter", f"{schedule.jitter_seconds:g} s"),
        ("last run", schedule.last_run_id or "-"),
        ("left out last", at(schedule, schedule.skipped_at)),
        ("set by", "the program" if schedule.is_declared else "hand"),
    ]
    screen.table(("what", "value"), rows)
    if schedule.trouble is not None:
        screen.note(f"{schedule.name}: {schedule.trouble}")
    screen.line("comes at")
    for instant in instants:
        screen.line(f"  {at(schedule, instant)}")
    return DONE


def at(schedule: ScheduleSummary, moment: datetime | None) -> str:
    """A time as the schedule's own clocks show it, which may be set back and show the same hour twice."""
    if moment is None:
        return "-"
    if schedule.timezone in (None, "UTC"):
        return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
    local = moment.astimezone(ZoneInfo(schedule.timezone)).isoformat(" ", "seconds")
    return f"{local[:19]} {schedule.timezone} ({local[19:]})"


COMMAND = Command(
    "schedules show", "One schedule, and when it comes.", "perdure schedules show nightly --next 10", add_arguments, run
)
