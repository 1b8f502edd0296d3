"""Google ADK: `PerdurePlugin` makes the agents of a runner durable where they run inside a workflow.

Requests to models and calls of tools become steps; outside a workflow they are what they were. Needs google-adk 2.13.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncGenerator, Mapping
from functools import cache
from typing import Any, Literal

from ._needs import needs

with needs("Google's ADK", "google-adk"):
    from google.adk.agents import LlmAgent
    from google.adk.events import EventActions
    from google.adk.models import LlmResponse
    from google.adk.plugins.base_plugin import BasePlugin
    from pydantic import TypeAdapter

from .. import Stream, call, where
from ._step_options import StepOptions, step_options

__all__ = ["PerdurePlugin", "StepOptions"]

RESPONSES: Any = TypeAdapter(list[LlmResponse])
OPTIONS = "_perdure_options"
STREAM = "_perdure_stream"


class PerdurePlugin(BasePlugin):
    """`Runner(..., plugins=[PerdurePlugin()])` or `App(..., plugins=[PerdurePlugin()])`.

    Each request to a model is a step `google_adk.model:NAME`, each call of a tool a step `google_adk.tool:NAME`, with
    what the tool has changed of the session's state and of the event's actions. Callbacks of the agents and of other
    plugins run around them, as they do, at every replay. The agents' models are replaced by copies of themselves, which
    outside a workflow do what they did.

    `model_options`, `tool_options` are the options of those steps; `tools` those of a tool by its name, with False for
    one that shall be no step. `stream`: the key of the run's stream to which each response of a model is written, as
    JSON, when it arrives: in the mode SSE its pieces, too. Raises `UsageError` for options that cannot be.
    """

    def __init__(
        self,
        name: str = "perdure",
        *,
        model_options: StepOptions | None = None,
        tool_options: StepOptions | None = None,
        tools: Mapping[str, StepOptions | Literal[False]] | None = None,
        stream: str | None = None,
    ) -> None:
        super().__init__(name=name)
        self._stream = None if stream is None else Stream(stream)
        self._model_options = step_options(model_options, "model_options")
        self._tool_options = step_options(tool_options, "tool_options")
        self._own = {
            tool: given if given is False else step_options(given, f"tool {tool!r}")
            for tool, given in (tools or {}).items()
        }

    async def before_agent_callback(self, *, agent: Any, callback_context: Any) -> None:
        """Give the agent a durable model, once."""
        if isinstance(agent, LlmAgent) and not isinstance(agent.canonical_model, _DurableRequests):
            agent.model = self._model(agent.canonical_model)

    async def before_model_callback(self, *, callback_context: Any, llm_request: Any) -> None:
        """Make the tools durable that the model may ask for in its answer to this request."""
        for name, tool in llm_request.tools_dict.items():
            if not hasattr(tool, OPTIONS) and self._own.get(name) is not False:
                llm_request.tools_dict[name] = _durable_tool(tool, self._own.get(name) or self._tool_options)

    def _model(self, llm: Any) -> Any:
        made = llm.model_copy()
        made.__class__ = _durable_class(type(llm))  # type: ignore[arg-type]  # classes are hashable
        object.__setattr__(made, OPTIONS, self._model_options)
        object.__setattr__(made, STREAM, self._stream)
        return made


class _DurableRequests:
    """What a model's copy does otherwise."""

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncGenerator[Any, None]:
        """The responses, recorded or asked for: all of them once the last one is there. By then whoever reads the run's
        stream has seen them.
        """
        asked: Any = super().generate_content_async  # type: ignore[misc]  # of the class beside this one

        out: Stream | None = getattr(self, STREAM)

        async def ask() -> list[Any]:
            found = []
            async for response in asked(llm_request, stream):
                found.append(response.model_dump(mode="json", exclude_none=True))
                if out is not None and where() == "step":
                    out.write(found[-1])
            return found

        name = f"google_adk.model:{self.model}{', streamed' if stream else ''}"  # type: ignore[attr-defined]  # a BaseLlm
        options: StepOptions = getattr(self, OPTIONS)
        for response in RESPONSES.validate_python(await call(name, ask, **options)):
            yield response


@cache
def _durable_class(cls: type[Any]) -> type[Any]:
    """The class of a model's durable copy, which is one of that class too."""
    return type(cls.__name__, (_DurableRequests, cls), {"__module__": __name__, "__doc__": cls.__doc__})


def _durable_tool(tool: Any, options: StepOptions) -> Any:
    """A copy of the tool whose calls are steps."""
    made = copy.copy(tool)

    async def run_async(*, args: dict[str, Any], tool_context: Any) -> Any:
        async def body(args: dict[str, Any]) -> dict[str, Any]:
            result = await tool.run_async(args=args, tool_context=tool_context)
            return {"result": result, "actions": tool_context.actions.model_dump(mode="json", exclude_none=True)}

        done = await call(f"google_adk.tool:{tool.name}", body, args, **options)
        _apply(EventActions.model_validate(done["actions"]), tool_context)
        return done["result"]

    object.__setattr__(made, "run_async", run_async)
    object.__setattr__(made, OPTIONS, options)
    return made


def _apply(actions: Any, tool_context: Any) -> None:
    """What the tool has changed besides its result, for a call that only was recorded."""
    for name in type(actions).model_fields:
        if name != "state_delta":
            setattr(tool_context.actions, name, getattr(actions, name))
    for key, value in actions.state_delta.items():
        tool_context.state[key] = value
