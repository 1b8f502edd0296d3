"""`perdure runs show`: one run as a tree, with its steps, their attempts, its children, and what it waits for."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime

from ... import RunDetails, RunSummary, StepProgress
from ..._api.shown_runs import StepDetails
from ..command import DONE, Command, Context
from ..filters import whole_id
from ..screen import STYLES, Branch, share_bar
from ..times import between, said_of, since, span
from .runs_list import first_line

HIDDEN_KINDS = ("order", "child", "saved", "undo")
CALLS = {"recv": "recv", "patch": "patched", "event": "set_event", "get_event": "get_event", "answer": "answer to"}
"""How the code of a workflow asks for what is recorded under a name of the user's."""
HOOK = "perdure:hook:"
LONGEST = 120


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how much of it."""
    parser.add_argument("run_id", metavar="ID", help="the run's id, or the beginning of one that no other run has")
    parser.add_argument("--limit", type=int, default=200, help="so many steps and children at most (200)")


def run(context: Context) -> int:
    """The run; its id may be cut short."""
    with context.client() as client:
        run_id = whole_id(client, context.arguments.run_id)
        details = client.runs.get(run_id, limit=context.arguments.limit)
        undoes = any(step.kind == "undo" for step in details.steps)
        undoing = client.runs.list(attributes={"undo": run_id}).runs if undoes else []
    if context.screen.is_json:
        context.screen.json(details)
    else:
        context.screen.tree(tree_of(details, undoing, context.arguments.limit))
    return DONE


def tree_of(details: RunDetails, undoing: Sequence[RunSummary], limit: int) -> Branch:
    """All of it."""
    run = details.run
    root = Branch(f"{run.name}  {run.run_id}  {run.status}", STYLES.get(run.status, ""))
    for line in lines_of(details):
        root.add(line)
    steps = [step for step in details.steps if step.kind not in HIDDEN_KINDS]
    if steps:
        at = root.add(f"steps ({len(steps)}{'+' if len(details.steps) >= limit else ''})")
        for step in steps:
            if step.recorded_at is None:
                state = "is being tried again"
            else:
                took = "" if step.started_at is None else f"  {between(step.started_at, step.recorded_at)}"
                state = f"{'failed' if step.is_error else outcome_of(step.kind, step.outcome)}{took}"
            branch = at.add(f"{call_of(step)} → {state}", STYLES["failed"] if step.is_error else "")
            for attempt in step.earlier_attempts:
                branch.add(f"attempt {attempt.number}: {first_line(attempt.error, LONGEST) or 'failed'}")
            if step.is_error:
                branch.add(first_line(step.outcome, LONGEST) or "")
            if step.attempts > 1:
                branch.add(f"{step.attempts} attempts")
    add_runs(root, "children", details.children, limit)
    add_runs(root, "undoes what it did, unless it succeeds", undoing, limit)
    return root


def call_of(step: StepDetails) -> str:
    """What was called, as the code has it."""
    if step.kind == "recv" and step.name.startswith(HOOK):
        return f"answer to hook {step.name.removeprefix(HOOK)}"
    if step.kind in CALLS:
        return f"{CALLS[step.kind]} {step.name}".rstrip()
    return step.name + (f"({first_line(step.arguments, LONGEST)})" if step.arguments not in (None, "[]") else "")


def outcome_of(kind: str, outcome: str) -> str:
    """What a call gave, in short; of a sleep when it ends."""
    if kind == "sleep":
        with suppress(ValueError, OverflowError, OSError):
            return f"until {datetime.fromtimestamp(float(outcome), UTC):%Y-%m-%d %H:%M:%S} UTC"
    return first_line(outcome, LONGEST) or "recorded"


def lines_of(details: RunDetails) -> list[str]:
    """What there is to say of the run itself."""
    run = details.run
    lines = [f"made {run.created_at:%Y-%m-%d %H:%M:%S} UTC, {since(run.created_at)} ago"]
    if run.started_at is not None:
        took = f", took {between(run.started_at, run.finished_at)}" if run.finished_at is not None else ""
        waited = (run.started_at - run.created_at).total_seconds()
        lines.append(f"began after {span(max(0.0, waited))}{took}")
    lines.append(f"queue {run.queue}, priority {run.priority}" if run.queue else "started outside queues")
    if run.parent_id is not None:
        lines.append(f"child of {run.parent_id}")
    if run.worker_id is not None:
        lines.append(f"held by worker {run.worker_id}, attempt {run.attempts} of {run.max_attempts}")
    if run.due_at is not None and run.finished_at is None:
        lines.append(f"due {since(run.due_at)}")
    if run.deadline_at is not None and run.finished_at is None:
        lines.append(f"to be over by {run.deadline_at:%Y-%m-%d %H:%M:%S} UTC: {said_of(run.deadline_at)}")
    if details.waits_for_children:
        lines.append("waits for its children")
    if details.waits_for:
        lines.append(f"waits for {', '.join(details.waits_for)}")
    lines += [progress_line(step) for step in details.progress]
    lines += [
        f"waits for an answer to hook {hook.token} ({hook.type}), asked {since(hook.opened_at)} ago"
        for hook in details.hooks
        if hook.state == "open"
    ]
    if run.reason:
        lines.append(f"reason: {run.reason}")
    if details.attributes:
        lines.append("attributes: " + ", ".join(f"{name}={value}" for name, value in details.attributes.items()))
    if run.stopped == "paused":
        lines.append("paused: perdure runs resume lets it go on")
    if run.stopped == "retries":
        lines.append("its retries are used up: perdure runs resume lets it go on")
    told = Counter(message.kind for message in details.messages)
    last = {message.kind: message.sent_at for message in details.messages}
    lines += [f"told: {count_of(kind, told[kind])}{since(at)} ago" for kind, at in last.items()]
    for done in details.steered:
        lines.append(f"{done.action}: by {done.who}, {since(done.at)} ago{f', {done.detail}' if done.detail else ''}")
    lines.append(f"input: {first_line(details.input, LONGEST)}")
    if details.output is not None:
        lines.append(f"output: {first_line(details.output, LONGEST)}")
    if details.error is not None:
        lines.append(f"error: {first_line(details.error, LONGEST)}")
    return lines


def progress_line(step: StepProgress) -> str:
    """How far a step has come."""
    of_all = "" if step.total is None else f" of {step.total:g}"
    note = f"  {first_line(step.note, LONGEST)}" if step.note else ""
    return f"{step.name}  {share_bar(step.share)}{step.done:g}{of_all}{note}  ({since(step.at)} ago)"


def count_of(kind: str, number: int) -> str:
    """What it was told, and how often."""
    return f"{kind}, " if number == 1 else f"{kind}, {number} times, the last "


def add_runs(root: Branch, what: str, runs: Sequence[RunSummary], limit: int) -> None:
    """Other runs that belong to it."""
    if runs:
        at = root.add(f"{what} ({len(runs)}{'+' if len(runs) >= limit else ''})")
        for run in runs:
            took = between(run.started_at, run.finished_at)
            at.add(f"{run.name}  {run.run_id}  {run.status}  {took}", STYLES.get(run.status, ""))


COMMAND = Command(
    "runs show", "One run: its steps, attempts, children and times.", "perdure runs show 0193a5", add_arguments, run
)
