"""The events of a Pydantic AI agent on a stream of the run in which it is called."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from pydantic import TypeAdapter
from pydantic_ai.messages import AgentStreamEvent

from .. import Stream, where

EVENT: Any = TypeAdapter(AgentStreamEvent)


def streamed_to(key: str, own: Callable[[Any, Any], Awaitable[None]] | None) -> Callable[[Any, Any], Awaitable[None]]:
    """A handler of events that writes each to the run's stream, in the step that it is called in, and hands it on."""
    out = Stream(key)

    async def written(events: Any) -> AsyncIterator[Any]:
        async for event in events:
            if where() == "step":
                out.write(EVENT.dump_python(event, mode="json", fallback=str, warnings=False))
            yield event

    async def handle(context: Any, events: Any) -> None:
        if own is not None:
            await own(context, written(events))
            return
        async for _ in written(events):
            pass

    return handle
