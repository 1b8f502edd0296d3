"""An attempt with a time limit, on an event loop: the only place where a body can be stopped."""

from __future__ import annotations

import asyncio

from ...._core.flow import Outcome
from ...._core.step_call import StepCall
from ....errors import StepTimeoutError
from .own_context import in_own_context


async def attempt_in_time(call: StepCall) -> Outcome:
    """The body's outcome; once its time is over that is the timeout, whatever the body has made of being cancelled."""
    definition, cause = call.definition, None
    timer = asyncio.timeout(definition.timeout)
    try:
        async with timer:
            value = await in_own_context(definition.function(*call.args, **call.kwargs))
        if not timer.expired():
            return Outcome(value)
    except Exception as error:
        if not timer.expired():
            return Outcome(error=error)
        cause = error
    late = StepTimeoutError(f"step {definition.name} took longer than {definition.timeout} seconds")
    late.__cause__ = cause
    return Outcome(error=late)
