"""`perdure schedules list`: what comes by the clock."""

from __future__ import annotations

import argparse

from ... import ScheduleSummary
from ..command import DONE, Command, Context
from ..times import said_of, since


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(context: Context) -> int:
    """A row for each."""
    with context.client() as client:
        schedules = client.schedules.list()
    screen = context.screen
    if screen.is_json:
        screen.json({"schedules": schedules})
        return DONE
    rows = [
        (one.name, times_of(one), one.function, one.queue or "(started)", when(one), since(one.last_at))
        for one in schedules
    ]
    screen.table(("name", "comes", "starts", "queue", "next", "last"), rows)
    for one in schedules:
        if one.trouble is not None:
            screen.note(f"{one.name}: {one.trouble}")
    if not rows:
        screen.note("there are no schedules")
    return DONE


def times_of(schedule: ScheduleSummary) -> str:
    """When it comes, in short."""
    if schedule.cron is not None:
        return f"{schedule.cron} ({schedule.timezone or 'UTC'})"
    if schedule.every_seconds is not None:
        return f"every {schedule.every_seconds:g} s"
    return f"once, {schedule.at:%Y-%m-%d %H:%M:%S} UTC"


def when(schedule: ScheduleSummary) -> str:
    """When it comes next."""
    if schedule.paused_at is not None:
        return "paused"
    return "never again" if schedule.next_at is None else said_of(schedule.next_at)


COMMAND = Command("schedules list", "What comes by the clock.", "perdure schedules list --json", add_arguments, run)
