"""Pydantic AI's waits for something outside an agent's run, such as approvals of tools, as hooks of the workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import WrapValidator
from pydantic_ai.capabilities import RequestInput
from pydantic_ai.durable_exec import ExternalEventError, ExternalEventWaiter
from pydantic_ai.tools import DeferredToolRequests, DeferredToolResults

from .. import HookClosedError, HookRejectedError, HookResolvedError, WaitTimeoutError, call, hook, resolve

UNDECIDED: Final[ContextVar[Mapping[str, DeferredToolRequests]]] = ContextVar("perdure_undecided_calls")
"""The calls of tools that are about to be asked about, by the names of the waits for decisions."""


def expect_decisions(capabilities: Any, requests: DeferredToolRequests) -> None:
    """The next wait of a `RequestInput` among the capabilities is for decisions about these calls."""
    undecided = {}

    def look_at(one: Any) -> None:
        if isinstance(one, RequestInput):
            undecided[one.name] = requests

    capabilities.apply(look_at)
    UNDECIDED.set(undecided)


class HookWaiter(ExternalEventWaiter):
    """The token of each wait is a hook's. `types` says by the wait's name what its answer must be, as JSON data."""

    def __init__(self, agent_name: str, types: Mapping[str, Any]) -> None:
        self._agent_name = agent_name
        self._types = types

    async def wait(
        self,
        name: str,
        *,
        ask: Callable[[str], Awaitable[Any]],
        timeout: timedelta | None,  # noqa: ASYNC109  # durable
    ) -> Any:
        """The answer that `ask` has, which is a step, or that somebody gives to the hook."""
        unit = f"{self._agent_name}__external_event.{name}"
        asked = hook(self._type_of(name), timeout=timeout, question=unit)
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

    def _type_of(self, name: str) -> Any:
        if name in self._types:
            return checked(self._types[name])
        undecided = UNDECIDED.get({}).get(name)
        return Any if undecided is None else Annotated[checked(DeferredToolResults), Decisions(undecided)]


def checked(tp: Any) -> Any:
    """A type whose values are JSON data that the given type can be made of: the framework makes it itself."""

    def check(data: Any, validate: Callable[[Any], Any]) -> Any:
        validate(data)
        return data

    return Any if tp is Any else Annotated[tp, WrapValidator(check)]


class Decisions:
    """Of `DeferredToolResults`: they decide about each of these calls and no other. The framework would end the run for
    a call that is not there, or is left out; the schema says so, and with it whoever checks an answer, in any process.
    """

    def __init__(self, requests: DeferredToolRequests) -> None:
        self._ids = {
            kind: [one.tool_call_id for one in calls]
            for kind, calls in (("approvals", requests.approvals), ("calls", requests.calls))
        }

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> Any:
        """The framework's own schema, with these calls in it."""
        schema = handler.resolve_ref_schema(handler(core))
        for kind, ids in self._ids.items():
            decisions = schema["properties"][kind]
            members = dict.fromkeys(ids, decisions.get("additionalProperties", True))
            decisions |= {"properties": members, "required": ids, "additionalProperties": False}
        schema["required"] = [kind for kind, ids in self._ids.items() if ids]
        return schema
