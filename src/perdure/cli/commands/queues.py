"""`perdure queues`: the queues that have something to do, or limits; and what changes those."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ... import UsageError
from ..command import DONE, Command, Context
from ..times import since

if TYPE_CHECKING:
    from ... import Client, SharedLimits

COUNTED = 10_000
NUMBERS = ("concurrency", "worker_concurrency", "key_concurrency")
RATES = ("rate", "key_rate")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, with which queue."""
    parser.add_argument(
        "action", nargs="?", default="list", choices=("list", "set", "pause", "resume"), help="what to do (list)"
    )
    parser.add_argument("queue", nargs="?", help="of which queue, where something is changed")
    for name in NUMBERS:
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="N", help="with `set`: so many at once, or `none`")
    for name in RATES:
        parser.add_argument(
            f"--{name.replace('_', '-')}", metavar="N/SECONDS", help="with `set`: so many starts in so long, or `none`"
        )
    parser.add_argument(
        "--on-overflow", choices=("wait", "cancel_running", "cancel_newest"), help="with `set`: where there is no room"
    )


def run(context: Context) -> int:
    """A row for each queue, or one change."""
    arguments = context.arguments
    changes = changes_of(arguments)
    if (arguments.action == "list") != (arguments.queue is None):
        raise UsageError(f"queues {arguments.action}: give a queue to change it, and none to list all")
    if changes and arguments.action != "set":
        raise UsageError("queues: limits are given with `set`")
    with context.client() as client:
        if arguments.action == "list":
            return show(context, client)
        if arguments.action == "set":
            client.queues.set(arguments.queue, **changes)
        elif arguments.action == "pause":
            client.queues.pause(arguments.queue)
        else:
            client.queues.resume(arguments.queue)
        [changed] = [one.limits for one in client.queues.list() if one.name == arguments.queue and one.limits]
    if context.screen.is_json:
        context.screen.json({"queue": arguments.queue, "limits": changed})
    else:
        context.screen.line(f"{arguments.queue}: {text_of(changed) or 'no limits'}")
    return DONE


def show(context: Context, client: Client) -> int:
    """All of them."""
    queues = client.queues.list()
    if context.screen.is_json:
        context.screen.json({"queues": queues})
        return DONE
    rows = [
        (
            queue.name or "(started)",
            f"{queue.ready}{'+' if queue.ready >= COUNTED else ''}",
            queue.held,
            since(queue.waiting_since),
            text_of(queue.limits),
        )
        for queue in queues
    ]
    context.screen.table(("queue", "ready", "held", "the next waits", "limits"), rows)
    if not rows:
        context.screen.note("no queue has anything to do")
    return DONE


def changes_of(arguments: argparse.Namespace) -> Any:
    """The limits that were given. Raises `UsageError` for what is no number."""
    changes: dict[str, Any] = {}
    for name in (*NUMBERS, *RATES):
        given = getattr(arguments, name)
        if given is not None:
            changes[name] = None if given == "none" else parsed(name, given)
    if arguments.on_overflow is not None:
        changes["on_overflow"] = arguments.on_overflow
    return changes


def parsed(name: str, given: str) -> Any:
    """A number, or one with its seconds."""
    count, _, seconds = given.partition("/")
    try:
        return int(given) if name in NUMBERS else (int(count), float(seconds))
    except ValueError as error:
        wanted = "a whole number" if name in NUMBERS else "a number and seconds, such as 100/60"
        raise UsageError(f"queues: --{name.replace('_', '-')} {given}: give {wanted}, or none") from error


def text_of(limits: SharedLimits | None) -> str:
    """The limits of a queue, in words."""
    if limits is None:
        return ""
    said = [] if limits.paused_at is None else [f"paused {since(limits.paused_at)}"]
    said += [f"{name}={value}" for name in NUMBERS if (value := getattr(limits, name)) is not None]
    said += [f"{name}={value[0]}/{value[1]:g}s" for name in RATES if (value := getattr(limits, name)) is not None]
    return ", ".join([*said, *([limits.on_overflow] if limits.on_overflow != "wait" else [])])


COMMAND = Command(
    "queues",
    "The queues that have something to do, or limits; set limits, pause and resume.",
    "perdure queues set mails --concurrency 5 --rate 100/60",
    add_arguments,
    run,
)
