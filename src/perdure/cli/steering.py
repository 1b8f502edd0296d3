"""What `perdure runs pause`, `resume`, `retry`, `restart`, `fork` and `delete` have in common: ids, or a filter after
showing which runs it finds.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import Affected, Client, RunExistsError, SteeringError, UsageError
from .command import DONE, NOT_SO, Command, Context
from .filters import add_filter, filter_of

SHOWN = 10
AddMore = Callable[[argparse.ArgumentParser], None]


def steering_command(
    what: str,
    done: str,
    summary: str,
    example: str,
    *,
    add_more: AddMore = lambda parser: None,
    asks_always: bool = False,
) -> Command:
    """The command of one operation; `done` is what a run is after it."""
    return Command(
        f"runs {what}",
        summary,
        example,
        partial(add_arguments, what, add_more),
        partial(run, what, done, asks_always),
    )


def add_arguments(what: str, add_more: AddMore, parser: argparse.ArgumentParser) -> None:
    """Ids, or a filter; who asks, and why."""
    parser.add_argument("run_ids", metavar="ID", nargs="*", help="these runs; without ids, those that a filter finds")
    add_more(parser)
    add_filter(parser)
    parser.add_argument("--why", metavar="TEXT", help="kept in the audit, which `runs show` shows")
    parser.add_argument("--by", metavar="NAME", help="who does it; without it the user and this machine")
    parser.add_argument("--dry-run", action="store_true", help="say which runs they would be, and do nothing")
    parser.add_argument("--yes", action="store_true", help="do not ask before it is done")


def add_step(parser: argparse.ArgumentParser) -> None:
    """From where."""
    parser.add_argument("--step", metavar="STEP", help="what was recorded before it stays; its key, or its name")


def add_fork(parser: argparse.ArgumentParser) -> None:
    """From where, and what is to be other."""
    add_step(parser)
    parser.add_argument("--new-id", metavar="ID", help="the fork's id")
    parser.add_argument("--arguments", metavar="JSON", type=arguments_of, help="other arguments, a JSON array")


def arguments_of(text: str) -> list[Any]:
    """The arguments of a fork."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, list):
        raise argparse.ArgumentTypeError(f"{text!r}: write a JSON array, such as '[1, \"two\"]'")
    return found


def run(what: str, done: str, asks_always: bool, context: Context) -> int:
    """By id or by filter, not both."""
    arguments, wanted = context.arguments, filter_of(context.arguments)
    if bool(arguments.run_ids) == bool(wanted):
        raise UsageError(f"runs {what}: give ids, or a filter such as --workflow, and not both")
    for_one = [name for name in ("new_id", "arguments") if getattr(arguments, name, None) is not None]
    if for_one and len(arguments.run_ids) != 1:
        raise UsageError(f"runs {what}: --{for_one[0].replace('_', '-')} is for one run: give its id")
    with context.client() as client:
        if arguments.run_ids:
            return by_id(what, done, asks_always, context, client)
        return by_filter(what, done, context, client, wanted)


def options_of(context: Context, *, is_for_one: bool) -> dict[str, Any]:
    """What was given beside the runs."""
    given = vars(context.arguments)
    found = {name: given[name] for name in ("why", "by", "step") if given.get(name) is not None}
    if is_for_one and given.get("new_id") is not None:
        found["id"] = given["new_id"]
    if is_for_one and given.get("arguments") is not None:
        found["args"] = given["arguments"]
    return found


def by_id(what: str, done: str, asks_always: bool, context: Context, client: Client) -> int:
    """Each of them. An id that nobody has ends it, before anything is done."""
    arguments, screen = context.arguments, context.screen
    states = {run_id: client.handle(run_id).status() for run_id in arguments.run_ids}
    if arguments.dry_run:
        if screen.is_json:
            screen.json({"status": states})
        for run_id, state in states.items() if not screen.is_json else ():
            screen.line(f"{run_id} is {state}")
        return DONE
    preview = Affected(count=len(states), run_ids=[*states], dry_run=True)
    if asks_always and not arguments.yes and not is_confirmed(what, context, preview):
        return NOT_SO
    answers, refused = dict[str, Any](), dict[str, str]()
    for run_id in states:
        try:
            answer = getattr(client.runs, what)(run_id, **options_of(context, is_for_one=True))
        except (SteeringError, RunExistsError) as error:
            refused[run_id] = str(error)
        else:
            answers[run_id] = answer.run_id if what == "fork" else answer is not False
    if screen.is_json:
        screen.json({what: answers, "refused": refused})
    for run_id, answer in answers.items() if not screen.is_json else ():
        told = (
            f"forked into {answer}"
            if what == "fork"
            else done
            if answer
            else f"nothing to {what}: it is {states[run_id]}"
        )
        screen.line(f"{run_id}: {told}")
    for reason in refused.values() if not screen.is_json else ():
        screen.note(reason)
    return DONE if any(answers.values()) and not refused else NOT_SO


def by_filter(what: str, done: str, context: Context, client: Client, wanted: dict[str, Any]) -> int:
    """First which, then whether, then the deed."""
    arguments, screen = context.arguments, context.screen
    operation, options = getattr(client.runs, what), options_of(context, is_for_one=False)
    preview: Affected = operation(dry_run=True, **options, **wanted)
    is_to_be = preview.count > 0 and not arguments.dry_run and (arguments.yes or is_confirmed(what, context, preview))
    affected: Affected = operation(**options, **wanted) if is_to_be else preview
    if screen.is_json:
        screen.json(affected)
    elif not preview.count:
        screen.note(f"no run to {what} is found by this")
    elif affected.dry_run:
        screen.line(f"{runs_of(preview.count)} would be {done}:")
        for run_id in preview.run_ids[:SHOWN]:
            screen.line(f"  {run_id}")
        if preview.count > SHOWN:
            screen.line(f"  … and {preview.count - SHOWN} more")
    else:
        screen.line(f"{done}: {runs_of(affected.count)}")
        for reason in [*affected.refused.values()][:SHOWN]:
            screen.note(reason)
        if len(affected.refused) > SHOWN:
            screen.note(f"… and {len(affected.refused) - SHOWN} more were left as they are")
    is_done = preview.count > 0 and (arguments.dry_run or (not affected.dry_run and not affected.refused))
    return DONE if is_done else NOT_SO


def runs_of(count: int) -> str:
    """So many."""
    return f"{count} run{'' if count == 1 else 's'}"


def is_confirmed(what: str, context: Context, preview: Affected) -> bool:
    """Ask, where somebody can answer; nobody is asked in a pipe, and nothing is done there without `--yes`."""
    if not (sys.stdin.isatty() and context.screen.is_terminal):
        context.screen.note("nothing is done: give --yes")
        return False
    first = ", ".join(preview.run_ids[:3])
    more = ", …" if preview.count > 3 else ""
    sys.stderr.write(f"{what.capitalize()} {runs_of(preview.count)} ({first}{more})? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
