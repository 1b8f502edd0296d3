"""`perdure hooks list`: what waits for an answer."""

from __future__ import annotations

import argparse

from ..command import DONE, Command, Context
from ..times import since
from .runs_list import first_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many."""
    parser.add_argument("--limit", type=int, default=100, help="so many, the oldest first (100)")


def run(context: Context) -> int:
    """A row for each; of the token all of it, since who may read the database may answer."""
    with context.client() as client:
        hooks = client.runs.hooks(limit=context.arguments.limit)
    if context.screen.is_json:
        context.screen.json({"hooks": hooks})
        return DONE
    rows = [
        (hook.token, first_line(hook.question, 60) or "", hook.type, hook.run_id, since(hook.opened_at))
        for hook in hooks
    ]
    context.screen.table(("token", "question", "answer", "run", "waits"), rows)
    if not rows:
        context.screen.note("no hook waits for an answer")
    return DONE


COMMAND = Command("hooks list", "What waits for an answer.", "perdure hooks list --json", add_arguments, run)
