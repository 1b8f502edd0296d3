"""Strands: `PerdurePlugin` makes an agent durable where it runs inside a workflow.

Requests to the model and calls of tools become steps; outside a workflow they are what they were. Needs strands-agents
1.62. In a workflow the agent is awaited: `await agent.invoke_async(question)`.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal

from ._needs import needs

with needs("Strands", "strands"):
    from strands.hooks import BeforeToolCallEvent
    from strands.models import Model
    from strands.plugins import Plugin
    from strands.types.events import ToolResultEvent

from .. import Stream, UsageError, call, where
from ._step_options import StepOptions, step_options

__all__ = ["PerdureModel", "PerdurePlugin", "StepOptions"]


class PerdureModel(Model):
    """A model of the framework, each request to which is a step `strands.model:NAME` in a workflow.

    `name` is kept in the database; by default it is the class of the model. `stream`: the key of the run's stream to
    which the events of an answer are written while they arrive. Whatever else the model has is reached through this
    one.
    """

    def __init__(
        self, model: Any, name: str | None = None, *, options: StepOptions | None = None, stream: str | None = None
    ) -> None:
        self._model = model
        self._stream = None if stream is None else Stream(stream)
        self._name = f"strands.model:{name or type(model).__name__}"
        self._options = step_options(options, "options")
        self._supports_structured_output = getattr(model, "_supports_structured_output", False)

    def __getattr__(self, name: str) -> Any:
        return getattr(object.__getattribute__(self, "_model"), name)

    @property
    def stateful(self) -> bool:
        """As the model is."""
        return bool(self._model.stateful)

    @property
    def context_window_limit(self) -> int | None:
        """As the model has it."""
        return self._model.context_window_limit

    def update_config(self, **model_config: Any) -> None:
        """Of the model."""
        self._model.update_config(**model_config)

    def get_config(self) -> Any:
        """Of the model."""
        return self._model.get_config()

    async def count_tokens(self, *args: Any, **kwargs: Any) -> int:
        """As the model counts. What it asks a service for that is asked for again at a replay."""
        return await self._model.count_tokens(*args, **kwargs)

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The events of an answer, recorded or asked for: all of them once the answer is complete. By then whoever
        reads the run's stream has seen them.
        """

        async def ask() -> list[Any]:
            return [self._written(event) async for event in self._model.stream(*args, **kwargs)]

        for event in await call(self._name, ask, **self._options):
            yield event

    async def structured_output(self, output_model: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        """The same for an answer that is an object of `output_model`."""

        async def ask() -> list[Any]:
            return [
                self._written(
                    {**event, "output": event["output"].model_dump(mode="json")} if "output" in event else event
                )
                async for event in self._model.structured_output(output_model, *args, **kwargs)
            ]

        for event in await call(f"{self._name}, structured", ask, **self._options):
            yield {**event, "output": output_model.model_validate(event["output"])} if "output" in event else event

    def _written(self, event: Any) -> Any:
        if self._stream is not None and where() == "step":
            self._stream.write(event)
        return event


class PerdurePlugin(Plugin):
    """`Agent(model=..., tools=[...], plugins=[PerdurePlugin()])`.

    The agent's model is replaced by a `PerdureModel` of it, and each call of a tool is a step `strands.tool:NAME` with
    the tool's result. Hooks and other plugins run around them, as they do, at every replay.

    `model_options`, `tool_options` are the options of those steps; `tools` those of a tool by its name, with False for
    one that shall be no step. `stream` is as of a `PerdureModel`. Raises `UsageError` for options that cannot be.
    """

    name = "perdure"

    def __init__(
        self,
        *,
        model_options: StepOptions | None = None,
        tool_options: StepOptions | None = None,
        tools: Mapping[str, StepOptions | Literal[False]] | None = None,
        stream: str | None = None,
    ) -> None:
        super().__init__()
        self._stream = stream
        self._model_options = step_options(model_options, "model_options")
        self._tool_options = step_options(tool_options, "tool_options")
        self._own = {
            tool: given if given is False else step_options(given, f"tool {tool!r}")
            for tool, given in (tools or {}).items()
        }

    def init_agent(self, agent: Any) -> None:
        """Give the agent a durable model, and each call a durable tool."""
        if not isinstance(agent.model, PerdureModel):
            agent.model = PerdureModel(agent.model, options=self._model_options, stream=self._stream)
        agent.add_hook(self._select, BeforeToolCallEvent)

    def _select(self, event: Any) -> None:
        tool = event.selected_tool
        options = self._own.get(event.tool_use["name"], self._tool_options)
        if tool is not None and options is not False:
            event.selected_tool = _durable_tool(tool, options)


def _durable_tool(tool: Any, options: StepOptions) -> Any:
    """A copy of the tool whose calls are steps. Only the result is kept: what a tool streams on the way is not."""
    made = copy.copy(tool)

    async def stream(tool_use: Any, invocation_state: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async def body(tool_use_id: str, given: Any) -> Any:
            events = [event async for event in tool.stream(tool_use, invocation_state, **kwargs)]
            if not events or "toolUseId" not in (result := getattr(events[-1], "tool_result", events[-1])):
                raise UsageError(
                    f"tool {tool.tool_name!r} gave no result but {events[-1:]}: what asks a person, or hands over to "
                    f"an agent that does, can be no step: PerdurePlugin(tools={{{tool.tool_name!r}: False}})"
                )
            return dict(result)

        result = await call(
            f"strands.tool:{tool.tool_name}", body, tool_use["toolUseId"], tool_use.get("input"), **options
        )
        yield ToolResultEvent(result)

    made.stream = stream
    return made
