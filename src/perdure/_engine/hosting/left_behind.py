"""What somebody has begun and not waited for: its work is lost, or goes on where nobody sees it, so it is said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from ..._core.definitions import Definition
from ..._core.run import Run
from .threads.state import ThreadRun

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
    names = shown(map(name_of, left))
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


def warn_of_threads(run: ThreadRun) -> None:
    """Say which branches of a sync run still work, or wait for a thread, when its function has ended."""
    with run.state.changed:
        left = [future.name for future in run.state.futures if not future.done()]
    if left:
        log.warning(
            "run %s of %s has ended and left branches behind whose durable calls will fail: %s. Wait for them before "
            "the function returns (`with perdure.threads() as pool:`), or start what they do as runs of their own "
            "(perdure.start)",
            run.run_id,
            run.name,
            shown(left),
        )


def shown(names: Iterable[str]) -> str:
    """The first of them."""
    first = sorted(names)
    return ", ".join(first[:MOST_NAMES]) + (", …" if len(first) > MOST_NAMES else "")


def name_of(task: asyncio.Task[Any]) -> str:
    """What the task executes."""
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", None) or type(coroutine).__qualname__
