"""OpenAI Agents SDK: calls of tools that need somebody's approval wait for it, each by a hook of the workflow."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .. import HookClosedError, HookRejectedError, HookResolvedError, WaitTimeoutError, call, hook, register, resolve


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
    """The agent's result, once all that it asks for was decided about; calls that wait together are asked together."""
    while result.interruptions:
        items = list(result.interruptions)
        decisions = await asyncio.gather(*(decision(item, ask, patience) for item in items))
        state = result.to_state()
        for item, said in zip(items, decisions, strict=True):
            if said.approved:
                state.approve(item, always_approve=said.always)
            else:
                state.reject(item, always_reject=said.always, rejection_message=said.message)
        result = await go_on(state)
    return result


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
