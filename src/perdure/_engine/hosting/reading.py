"""Code of a run that may look and change nothing: what answers a question, and what judges an update.

It runs when none of the run's own code does, in the scope of a run that refuses every durable call.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from ..._core.lineage import Branch, scope
from ..._core.run import Run
from ...errors import UsageError
from ..held_run import HostedRun, HostState, held
from .asyncio.tasks import current_task


class Looking(HostedRun[HostState], eq=False, weakref=True):
    """Stands in for a run: its code sees whose it is, and can do nothing durable."""

    what: str = ""

    def check_alive(self) -> NoReturn:
        """Every durable call comes here first."""
        raise UsageError(
            f"{self.what} of run {self.run_id} made a durable call (a step, a sleep, a message, an event ...): it only "
            "looks at what the workflow knows. What is to be done belongs into an update or the workflow itself"
        )


def look_only(run: Run, what: str, fn: Callable[..., Any], args: Sequence[Any]) -> Any:
    """What the function returns; `what` it is, for errors."""
    shadow = Looking(
        run.run_id,
        run.claim,
        run.kind,
        run.name,
        run.queue,
        run.attempts,
        run.parent_id,
        run.serializer,
        host=run.host,
        state=held(run).state,
        what=what,
    )
    token = scope.set(Branch(shadow, False, owner=threading.get_ident(), within=current_task()))
    try:
        found = fn(*args)
    finally:
        scope.reset(token)
    if inspect.isawaitable(found):
        if inspect.iscoroutine(found):
            found.close()
        raise UsageError(f"{what} of run {run.run_id} gave something to await: it only looks, and waits for nothing")
    return found
