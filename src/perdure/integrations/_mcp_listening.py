"""Who listens is told of tasks: `notifications/tasks` on a stream that the SDK serves, by `subscriptions/listen`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, Notification, SubscriptionFilter, SubscriptionsAcknowledgedNotification
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

LISTEN: Final = "subscriptions/listen"
MOST_TASKS: Final = 100
"""On one stream: each is looked at by itself."""


class TaskNotification(Notification[dict[str, Any], Literal["notifications/tasks"]]):
    """A task, as `tasks/get` would give it."""

    method: Literal["notifications/tasks"] = "notifications/tasks"


class _Acknowledging:
    """The session of a request, which says for which tasks the stream will be, too, and tells when it has."""

    def __init__(self, session: ServerSession, task_ids: Sequence[str]) -> None:
        self._session = session
        self._task_ids = list(task_ids)
        self.has_acknowledged = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_session"), name)

    async def send_notification(self, notification: Any, related_request_id: Any = None) -> None:
        """The first one is the acknowledgement."""
        if not isinstance(notification, SubscriptionsAcknowledgedNotification):
            await self._session.send_notification(notification, related_request_id)
            return
        honored = notification.params.notifications.model_dump(by_alias=True, exclude_none=True)
        both = SubscriptionFilter.model_validate({**honored, "taskIds": self._task_ids})
        params = notification.params.model_copy(update={"notifications": both})
        await self._session.send_notification(notification.model_copy(update={"params": params}), related_request_id)
        self.has_acknowledged.set()


def asked_for(ctx: ServerRequestContext[Any, Any]) -> list[str] | None:
    """The tasks of which this request wants to be told; None where it is another one.

    Raises an error of the protocol for what are no ids, or too many.
    """
    if ctx.method != LISTEN or ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return None
    wanted = (ctx.params or {}).get("notifications")
    if not isinstance(wanted, Mapping) or wanted.get("taskIds") is None:
        return None
    task_ids = wanted["taskIds"]
    if not isinstance(task_ids, list) or not all(isinstance(task_id, str) for task_id in task_ids):
        raise MCPError(INVALID_PARAMS, "taskIds is a list of strings")
    if len(task_ids) > MOST_TASKS:
        raise MCPError(INVALID_PARAMS, f"taskIds has {len(task_ids)}: one stream takes {MOST_TASKS}")
    return list(dict.fromkeys(task_ids))


async def serve(
    ctx: ServerRequestContext[Any, Any],
    call_next: CallNext,
    task_ids: Sequence[str],
    tell: Callable[[str, Callable[[dict[str, Any]], Awaitable[None]]], Awaitable[None]],
) -> HandlerResult:
    """The SDK's stream, with all that there is to say of these tasks after its acknowledgement.

    `tell` is given a task's id and how to send the task, and returns when there will be no more to say.
    """
    session = _Acknowledging(ctx.session, task_ids)
    meta = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}

    async def send(task: dict[str, Any]) -> None:
        notification: Any = TaskNotification(params={**task, "_meta": meta})
        await session.send_notification(notification, ctx.request_id)

    async def follow(task_id: str) -> None:
        await session.has_acknowledged.wait()
        await tell(task_id, send)

    async with asyncio.TaskGroup() as group:  # who cannot be told any more loses the stream, and knows it
        followed = [group.create_task(follow(task_id)) for task_id in task_ids]
        answer = await call_next(replace(ctx, session=session))  # type: ignore[arg-type]  # one in all that is used
        for following in followed:
            following.cancel()
    return answer
