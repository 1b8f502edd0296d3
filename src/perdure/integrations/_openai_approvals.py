"""OpenAI Agents SDK: calls of tools that need somebody's approval wait for it, each by a hook of the workflow."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .. import (
    HookClosedError,
    HookRejectedError,
    HookResolvedError,
    UsageError,
    WaitTimeoutError,
    call,
    hook,
    register,
    resolve,
    where,
)


@register
@dataclass(frozen=True)
class Approval:
    """What somebody says to a call of a tool; `always`, to all calls of it in this run of the agent. `message` is what
    the model is told of a call that is not approved.
    """

    approved: bool
    always: bool = False
    message: str | None = None


@register
@dataclass(frozen=True)
class ApprovalRequest:
    """A call that waits for approval: `perdure.resolve(request.token, Approval(True))`. `arguments` are JSON, as the
    model wrote them.
    """

    token: str
    agent: str
    tool: str
    arguments: str
    call_id: str


Ask = Callable[[ApprovalRequest], "Awaitable[Approval | None] | Approval | None"]
"""Asks somebody, and returns None; or decides at once. Sync or async; a step of the workflow."""


async def approved(result: Any, ask: Ask, patience: Any, go_on: Callable[[Any], Awaitable[Any]]) -> Any:
    """The agent's result, once all that it asks for was decided about."""
    while result.interruptions:
        result = await go_on(await decided(result, ask, patience))
    return result


class ApprovedStream:
    """What `run_streamed` gives with `ask`: the framework's result of a streamed run, whose `stream_events` goes on
    after calls were decided about. All else is that of the result that it is at.
    """

    def __init__(self, result: Any, decide: Callable[[Any], Awaitable[Any]], go_on: Callable[[Any], Any]) -> None:
        self._result = result
        self._decide = decide
        self._go_on = go_on
        self._deciding: asyncio.Future[Any] | None = None
        self._is_cancelled = False

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_result"), name)

    @property
    def is_complete(self) -> bool:
        """Whether the agent is done; not while it waits for somebody's word."""
        return bool(self._result.is_complete and (self._is_cancelled or not self._result.interruptions))

    def cancel(self, *args: Any, **kwargs: Any) -> None:
        """As the framework's; nobody's word is waited for any more."""
        self._is_cancelled = True
        self._result.cancel(*args, **kwargs)
        if self._deciding is not None:
            self._deciding.cancel()

    async def stream_events(self) -> AsyncIterator[Any]:
        """The framework's events, those after approvals too."""
        while True:
            async for event in self._result.stream_events():
                yield event
            if self._is_cancelled or not self._result.interruptions:
                return
            self._deciding = asyncio.ensure_future(self._decide(self._result))
            try:
                state = await self._deciding
            except asyncio.CancelledError:
                if self._is_cancelled:
                    return
                raise
            self._result = self._go_on(state)


async def decided(result: Any, ask: Ask, patience: Any) -> Any:
    """The state of the agent in which all calls that wait are decided about; they are asked for together. Raises
    `UsageError` outside a workflow.
    """
    if where() != "workflow":
        raise UsageError("openai_agents: ask= waits for a person by a hook, which only a workflow has")
    items = list(result.interruptions)
    decisions = await asyncio.gather(*(decision(item, ask, patience) for item in items))
    state = result.to_state()
    for item, said in zip(items, decisions, strict=True):
        if said.approved:
            state.approve(item, always_approve=said.always)
        else:
            state.reject(item, always_reject=said.always, rejection_message=said.message)
    return state


async def decision(item: Any, ask: Ask, patience: Any) -> Approval:
    """What is said to one call."""
    tool, arguments = item.tool_name or "", item.arguments or ""
    asked = hook(Approval, timeout=patience, question=f"{tool}({arguments})"[:10_000])
    request = ApprovalRequest(asked.token, item.agent.name, tool, arguments, item.call_id or "")

    async def body(request: ApprovalRequest) -> Approval | None:
        said = ask(request)
        return await said if inspect.isawaitable(said) else said

    said = await call(f"openai_agents.approval:{tool}", body, request)
    if said is not None:
        with suppress(HookResolvedError, HookClosedError):  # somebody else was first
            await resolve(asked.token, said)
    try:
        return await asked
    except WaitTimeoutError:
        return Approval(approved=False, message="Nobody has approved this call in time.")
    except HookRejectedError as error:
        return Approval(approved=False, message=str(error))
