"""Tasks that somebody has made and not awaited: their work is lost, or goes on where nobody sees it, so it is said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from .._core.definitions import Definition
from .._core.run import Run

log = logging.getLogger("perdure")

MOST_NAMES = 10
_told: set[tuple[str, str]] = set()
"""Steps, and what they left: the tasks of a client that a step has opened stay for as long as that."""


def warn_of_tasks(run: Run, step: Definition | None, tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Say which tasks are still at work when the body of the step, or the run's function, has ended."""
    left = [task for task in tasks if not task.done() and not task.cancelling()]
    if step is not None:
        left = [task for task in left if (step.name, name_of(task)) not in _told]
        _told.update((step.name, name_of(task)) for task in left)
    if not left:
        return
    names = ", ".join(sorted(map(name_of, left))[:MOST_NAMES]) + ("…" if len(left) > MOST_NAMES else "")
    if step is None:
        log.warning(
            "run %s of %s has ended and left tasks behind that are cancelled where they are: %s. Await them before the "
            "function returns (asyncio.gather, TaskGroup), or start what they do as runs of their own (perdure.start)",
            run.run_id,
            run.name,
            names,
        )
    else:
        log.warning(
            "step %s of run %s has ended and left tasks behind that go on unrecorded, and are lost with this process: "
            "%s. Await them in the step",
            step.name,
            run.run_id,
            names,
        )


def name_of(task: asyncio.Task[Any]) -> str:
    """What the task executes."""
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", None) or type(coroutine).__qualname__
