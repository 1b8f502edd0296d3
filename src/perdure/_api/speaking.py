"""What a client tells runs: messages, and the answers to their hooks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

from .._core.flows.resolve import error_of, problem_of
from .._core.lineage import Branch, scope
from .._engine.outside.outside import Outside
from .._entries import HookResolved
from ..errors import UsageError
from ..typing import RunId
from .answering import Answer, rejection, resolution
from .handle import Handle
from .messages import Message, messages_of, send_through


class HasDoor(Protocol):
    """A client."""

    def opened(self) -> Outside:
        """The door to its database."""


class Talking:
    """`Client`'s part of it. In a workflow a client would say it again at each replay, and refuses."""

    def send(
        self: HasDoor, run: Handle[Any] | RunId, value: object, *, topic: str = "", key: str | None = None
    ) -> None:
        """Send a value to a run, as `perdure.send` does."""
        send_through(_door(self, "message"), [Message(run, value, topic, key)], "send")

    async def asend(
        self: HasDoor, run: Handle[Any] | RunId, value: object, *, topic: str = "", key: str | None = None
    ) -> None:
        """`send` from an event loop, which goes on meanwhile."""
        door = await asyncio.to_thread(_door, self, "message")
        await asyncio.to_thread(send_through, door, [Message(run, value, topic, key)], "send")

    def send_many(self: HasDoor, messages: Iterable[Message | tuple[Any, ...]]) -> None:
        """Send several messages, as `perdure.send_many` does."""
        send_through(_door(self, "message"), messages_of(messages), "send_many")

    async def asend_many(self: HasDoor, messages: Iterable[Message | tuple[Any, ...]]) -> None:
        """`send_many` from an event loop, which goes on meanwhile."""
        door = await asyncio.to_thread(_door, self, "message")
        await asyncio.to_thread(send_through, door, messages_of(messages), "send_many")

    def resolve(self: HasDoor, token: str, value: object, *, key: str | None = None) -> None:
        """Answer a hook, as `perdure.resolve` does."""
        door = _door(self, "answer")
        _answer(Answer(token, resolution(value), what="resolve", key=key), door)

    async def aresolve(self: HasDoor, token: str, value: object, *, key: str | None = None) -> None:
        """`resolve` from an event loop, which goes on meanwhile."""
        await asyncio.to_thread(Talking.resolve, self, token, value, key=key)

    def reject(self: HasDoor, token: str, error: Exception | str, *, key: str | None = None) -> None:
        """Answer a hook with an error, as `perdure.reject` does."""
        door = _door(self, "answer")
        _answer(Answer(token, rejection(error, door.serializer), what="reject", key=key), door)

    async def areject(self: HasDoor, token: str, error: Exception | str, *, key: str | None = None) -> None:
        """`reject` from an event loop, which goes on meanwhile."""
        await asyncio.to_thread(Talking.reject, self, token, error, key=key)


def _door(client: HasDoor, what: str) -> Outside:
    if type(scope.get()) is Branch:
        mend = "perdure.send" if what == "message" else "perdure.resolve"
        raise UsageError(f"a client's {what} in a workflow would be given again at a replay: use {mend} there")
    return client.opened()


def _answer(answer: Answer, door: Outside) -> None:
    prepared = answer.prepare(door.store, door.serializer)
    if type(prepared) is HookResolved:
        prepared = problem_of(prepared, door.make([prepared])[0]) or []
    if (error := error_of(answer.token, prepared)) is not None:
        raise error
