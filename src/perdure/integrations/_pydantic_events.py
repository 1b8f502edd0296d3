"""Pydantic AI's waits for something outside an agent's run, such as approvals of tools, as hooks of the workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any

from pydantic import WrapValidator
from pydantic_ai.durable_exec import ExternalEventError, ExternalEventWaiter
from pydantic_ai.tools import DeferredToolResults

from .. import HookClosedError, HookRejectedError, HookResolvedError, WaitTimeoutError, call, hook, resolve

DEFERRED = "deferred_tool_calls"
"""The framework's own name of a wait for approvals and results of deferred tools."""


class HookWaiter(ExternalEventWaiter):
    """The token of each wait is a hook's. `types` says by the wait's name what its answer must be, as JSON data."""

    def __init__(self, agent_name: str, types: Mapping[str, Any]) -> None:
        self._agent_name = agent_name
        self._types = {DEFERRED: DeferredToolResults, **types}

    async def wait(
        self,
        name: str,
        *,
        ask: Callable[[str], Awaitable[Any]],
        timeout: timedelta | None,  # noqa: ASYNC109  # durable
    ) -> Any:
        """The answer that `ask` has, which is a step, or that somebody gives to the hook."""
        unit = f"{self._agent_name}__external_event.{name}"
        tp = self._types.get(name, Any)
        asked = hook(Any if tp is Any else checked(tp), timeout=timeout, question=unit)
        answer = await call(f"{unit}.ask", ask, asked.token)
        if answer is not None:
            with suppress(HookResolvedError, HookClosedError):
                await resolve(asked.token, answer)
        try:
            return await asked
        except WaitTimeoutError as error:
            raise ExternalEventError(f"No resolution arrived within {timeout}.") from error
        except HookRejectedError as error:
            raise ExternalEventError(str(error)) from error


def checked(tp: Any) -> Any:
    """A type whose values are JSON data that the given type can be made of: the framework makes it itself."""

    def check(data: Any, validate: Callable[[Any], Any]) -> Any:
        validate(data)
        return data

    return Annotated[tp, WrapValidator(check)]
