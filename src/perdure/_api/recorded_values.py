"""What a workflow may ask besides its steps: the time, chance, sleep; and a step its idempotency key."""

from __future__ import annotations

import asyncio
import random as _random
import time
import uuid
from collections.abc import Awaitable, Callable, Generator
from datetime import UTC, datetime
from typing import Any, cast

from .._core.flow import Flow, adrive, drive
from .._core.flows.sleep import sleep as sleep_flow
from .._core.flows.value import draw_value
from .._core.given import moment_of, seconds_of
from .._core.lineage import Branch, StepScope, body_elsewhere, scope
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.hosting.foreign import check_no_foreign_loop
from ..errors import UsageError
from ..typing import Seconds
from .app import running_loop
from .waits import late


def _draw(name: str, draw: Callable[[], Any]) -> Any:
    here = scope.get()
    if type(here) is not Branch:
        return draw()
    branch = own_branch(here)
    return drive(draw_value(branch.run, branch.next_key(), name, draw, is_instant=branch.is_async), branch.run)


def now() -> datetime:
    """The time, in UTC; in a workflow the same at every replay."""
    return _draw("now", lambda: datetime.now(UTC))  # type: ignore[no-any-return]


def random() -> float:
    """A random number in [0, 1); in a workflow the same at every replay. Not for secrets."""
    return _draw("random", _random.random)  # type: ignore[no-any-return]


def uuid4() -> uuid.UUID:
    """A random UUID; in a workflow the same at every replay."""
    return _draw("uuid4", uuid.uuid4)  # type: ignore[no-any-return]


def idempotency_key() -> str:
    """Inside a step: a text that is the same at every repetition of this call and different for every other call.

    Give it to what the step calls, where that can tell a repetition. Raises `UsageError` outside a step of a run.
    """
    here = scope.get()
    if here is None and (there := body_elsewhere.get()) is not None:
        return there.idempotency_key
    if not isinstance(here, StepScope):
        raise UsageError("idempotency_key() is for the body of a step that a run calls")
    return here.idempotency_key


class Done:
    """What `sleep` and `send` return where nothing is left to wait for: nothing, for whoever awaits it anyway."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


def sleep(seconds: Seconds) -> Awaitable[None]:
    """Wait durably, so many seconds or a `timedelta`: a restart does not begin the wait anew. `await` it in an async
    workflow.

    A sleep longer than `park_after_seconds` lets the run leave memory; user `finally` blocks do run then.
    Outside a workflow it is `time.sleep`, or `asyncio.sleep` where a loop runs.
    """
    return _sleep(seconds=seconds_of(seconds, "sleep: seconds"))


def sleep_until(when: datetime) -> Awaitable[None]:
    """Wait durably until `when`, which must say its time zone. `await` it in an async workflow."""
    return _sleep(until=moment_of(when, "sleep_until: when"))


def _sleep(*, seconds: float | None = None, until: float | None = None) -> Awaitable[None]:
    here = scope.get()
    if type(here) is not Branch:
        left = seconds if seconds is not None else max(0.0, (until or 0.0) - time.time())
        check_no_foreign_loop()
        if running_loop() is None:
            time.sleep(left)
            return Done()
        return asyncio.sleep(left)
    branch = own_branch(here)
    flow = sleep_flow(branch.run, branch.next_key(), seconds=seconds, until=until, limits=branch.limits)
    if branch.is_async:
        return adrive(cast("Flow[None]", flow), branch.run)  # tasks have no limits of this kind
    if (reached := drive(flow, branch.run)) is not None:
        raise late(reached.seconds)
    return Done()
