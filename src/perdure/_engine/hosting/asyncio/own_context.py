"""A body's own context: what it sets in context variables is gone after it, live as it is on replay."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import copy_context
from types import CoroutineType, coroutine
from typing import Any


def in_own_context(body: Any) -> Any:
    """What to await for the coroutine of a body; anything else that is awaitable stays as it is."""
    return _carried_on(body) if type(body) is CoroutineType else body


@coroutine
def _carried_on(body: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """In a copy of the present context, and in the task that awaits it."""
    run, send = copy_context().run, body.send
    try:
        waits_for = run(send, None)
        while True:
            try:
                came = yield waits_for
            except BaseException as error:  # such as a cancellation
                waits_for = run(body.throw, error)
            else:
                waits_for = run(send, came)
    except StopIteration as stop:
        return stop.value
