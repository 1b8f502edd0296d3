"""A body's own context: what it sets in context variables is gone after it, live as it is on replay."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from contextvars import copy_context
from types import CoroutineType
from typing import Any


def in_own_context(body: Any) -> Any:
    """What to await for the coroutine of a body; anything else that is awaitable stays as it is."""
    return OwnContext(body) if type(body) is CoroutineType else body


class OwnContext(Generator[Any, Any, Any]):
    """Carries a coroutine on in a copy of the context that it was made in, in the task that awaits it."""

    __slots__ = ("_body", "_run")

    def __init__(self, body: Coroutine[Any, Any, Any]) -> None:
        self._body = body
        self._run = copy_context().run

    def __await__(self) -> Generator[Any, Any, Any]:
        return self

    def send(self, value: Any) -> Any:
        """Go on with what was waited for."""
        return self._run(self._body.send, value)

    def throw(self, *error: Any) -> Any:
        """Go on with an error, such as a cancellation."""
        return self._run(self._body.throw, *error)

    def close(self) -> None:
        """End it where it stands."""
        self._run(self._body.close)
