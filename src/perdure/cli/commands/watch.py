"""`perdure watch`: what goes on, drawn anew every second: queues, workers, rates, what failed lately."""

from __future__ import annotations

import argparse
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Final

from ... import Client, RunSummary, StepProgress, StoreUnavailableError
from ...typing import RunState
from ..command import DONE, Command, Context
from ..screen import Screen, share_bar
from ..times import said_of, since, span
from .queues import COUNTED
from .runs_list import first_line, with_errors

FAILED: Final[tuple[RunState, ...]] = ("failed", "dead")
BAR: Final = 24
RECENT: Final = 8
MOST_READ: Final = 1_000
WINDOW: Final = timedelta(seconds=60)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How often, and how long."""
    parser.add_argument("--interval", type=float, default=1.0, metavar="SECONDS", help="between two looks (1)")
    parser.add_argument("--once", action="store_true", help="look once, as in a pipe, and end")


def run(context: Context) -> int:
    """Until Ctrl-C on a terminal; else once, or with --json a line for every look."""
    arguments, screen = context.arguments, context.screen
    seen: deque[tuple[float, int]] = deque(maxlen=60)
    with context.client() as client:
        while True:
            try:
                look = Look(client)
            except StoreUnavailableError as error:
                if arguments.once:
                    raise
                screen.note(f"no answer: {error}")
            else:
                seen.append((time.monotonic(), look.newest_made))
                if screen.is_json:
                    screen.json(look.as_json())
                else:
                    if not arguments.once:
                        screen.clear()
                    draw(screen, look)
                screen.flush()
            if arguments.once or not (screen.is_terminal or screen.is_json):
                return DONE
            time.sleep(max(0.1, arguments.interval))


class Look:
    """What there is at one moment."""

    def __init__(self, client: Client) -> None:
        self.at = datetime.now(UTC)
        self.url = client.url
        self.workers = client.workers()
        self.queues = client.queues.list()
        self.failed = with_errors(client, client.runs.list(status=FAILED, limit=RECENT).runs)
        self.held = client.runs.list(status=("held", "cancelling"), limit=RECENT).runs
        self.progress = {step.run_id: step for step in client.runs.progress(*(run.run_id for run in self.held))}
        recent = client.runs.list(since=WINDOW, limit=MOST_READ)
        self.made: list[RunSummary] = list(recent.runs)
        self.is_more = recent.cursor is not None
        self.newest_made = len(self.made)

    @property
    def seconds(self) -> float:
        """The span of what was made lately, as far as it was read."""
        if not self.is_more or not self.made:
            return WINDOW.total_seconds()
        return max(0.001, (self.at - self.made[-1].created_at).total_seconds())

    def rate(self, *states: str) -> float:
        """How many of what was made lately are in these states, a second; of all, without any."""
        return sum(not states or run.status in states for run in self.made) / self.seconds

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return {
            "at": self.at,
            "workers": len(self.workers),
            "held": sum(worker.held for worker in self.workers),
            "queues": self.queues,
            "made_per_second": self.rate(),
            "failed_per_second": self.rate(*FAILED),
            "failed": [run.run_id for run in self.failed],
        }


def draw(screen: Screen, look: Look) -> None:
    """One look."""
    late = sum(worker.is_late for worker in look.workers)
    screen.line(f"{look.url}  {look.at:%H:%M:%S} UTC", "bold")
    held = sum(worker.held for worker in look.workers)
    screen.line(f"workers {len(look.workers)}{f' ({late} late)' if late else ''}, runs held {held}")
    about = "at least " if look.is_more else ""
    window = span(look.seconds)
    screen.line(
        f"made in the last {window}: {about}{look.rate():.1f}/s, of these ended well {look.rate('succeeded'):.1f}/s, "
        f"failed {look.rate(*FAILED):.2f}/s"
    )
    screen.line()
    longest = max([1, *(queue.ready + queue.held for queue in look.queues)])
    screen.table(
        ("queue", "ready", "held", "", "the next waits"),
        [
            (
                queue.name or "(started)",
                f"{queue.ready}{'+' if queue.ready >= COUNTED else ''}",
                queue.held,
                bar(queue.held, queue.ready, longest),
                since(queue.waiting_since),
            )
            for queue in look.queues
        ],
    )
    if look.held:
        screen.line()
        screen.table(
            ("held", "name", "status", "for", "to be over", "attempt", "progress"),
            [
                (
                    run.run_id,
                    run.name,
                    run.status,
                    since(run.started_at),
                    "" if run.deadline_at is None else said_of(run.deadline_at),
                    run.attempts,
                    shown_progress(look.progress.get(run.run_id)),
                )
                for run in look.held
            ],
        )
    if look.failed:
        draw_failed(screen, look)


def draw_failed(screen: Screen, look: Look) -> None:
    """What failed lately, and why."""
    screen.line()
    screen.table(
        ("failed lately", "name", "status", "ago", "reason"),
        [
            (
                run.run_id,
                run.name,
                run.status,
                since(run.finished_at),
                first_line(run.reason),
            )
            for run in look.failed
        ],
    )


def shown_progress(step: StepProgress | None) -> str:
    """How far the step that a run executes has come, in short."""
    if step is None:
        return ""
    return f"{share_bar(step.share)}{first_line(step.note) or f'{step.done:g}'}"


def bar(held: int, ready: int, longest: int) -> str:
    """Full where a run is held, light where it waits."""
    full = round(BAR * held / longest)
    return "█" * full + "░" * max(0, round(BAR * (held + ready) / longest) - full)


COMMAND = Command("watch", "What goes on, drawn anew every second.", "perdure watch --interval 2", add_arguments, run)
