"""Agents of the OpenAI Agents SDK as copies of themselves: what they call of the world outside is a step."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal

from agents import (
    Agent,
    FunctionTool,
    GuardrailFunctionOutput,
    Handoff,
    Model,
    ToolGuardrailFunctionOutput,
    ToolOutputFileContent,
    ToolOutputImage,
    ToolOutputText,
)
from mcp.types import CallToolResult
from mcp.types import Tool as MCPTool
from pydantic import TypeAdapter

from .. import call, register
from ._openai_models import PerdureModel
from ._step_options import StepOptions

for _kind in (
    GuardrailFunctionOutput,
    ToolGuardrailFunctionOutput,
    ToolOutputFileContent,
    ToolOutputImage,
    ToolOutputText,
):
    register(_kind)

TOOLS: Any = TypeAdapter(list[MCPTool])
RESULT: Any = TypeAdapter(CallToolResult)


class DurableAgents:
    """Makes the copies, each agent's once: agents may hand over in a circle."""

    def __init__(
        self, own: Mapping[str, StepOptions | Literal[False]], options: StepOptions, stream: str | None = None
    ) -> None:
        self._own = own
        self._stream = stream
        self._options = options
        self._made: dict[int, tuple[Any, Any]] = {}
        """By the agent's identity: the agent, which must not go away meanwhile, and its copy."""

    def durable(self, agent: Any) -> Any:
        """The copy of this agent."""
        if id(agent) in self._made:
            return self._made[id(agent)][1]
        made = agent.clone()
        self._made[id(agent)] = (agent, made)
        self._made[id(made)] = (made, made)
        made.tools = [self._tool(tool) for tool in agent.tools]
        made.mcp_servers = [self._server(server) for server in agent.mcp_servers]
        made.handoffs = [self._handoff(handoff) for handoff in agent.handoffs]
        made.input_guardrails = [_guardrail(guardrail) for guardrail in agent.input_guardrails]
        made.output_guardrails = [_guardrail(guardrail) for guardrail in agent.output_guardrails]
        if isinstance(agent.model, Model) and not isinstance(agent.model, PerdureModel):
            made.model = PerdureModel(agent.model, stream=self._stream)
        return made

    def _tool(self, tool: Any) -> Any:
        options = self._own.get(tool.name, self._options)
        if options is False or not isinstance(tool, FunctionTool):
            return tool
        made = copy.copy(tool)
        made.tool_input_guardrails = [_guardrail(guardrail) for guardrail in tool.tool_input_guardrails or []] or None
        made.tool_output_guardrails = [_guardrail(guardrail) for guardrail in tool.tool_output_guardrails or []] or None

        async def invoke(context: Any, arguments: str) -> Any:
            async def body(call_id: str, arguments: str) -> Any:
                return await tool.on_invoke_tool(context, arguments)

            return await call(f"openai_agents.tool:{tool.name}", body, context.tool_call_id, arguments, **options)

        made.on_invoke_tool = invoke
        return made

    def _server(self, server: Any) -> Any:
        made = copy.copy(server)

        async def list_tools(*args: Any, **kwargs: Any) -> Any:
            async def ask() -> Any:
                return TOOLS.dump_python(await server.list_tools(*args, **kwargs), mode="json", by_alias=True)

            return TOOLS.validate_python(await call(f"openai_agents.mcp:{server.name}, tools", ask, **self._options))

        async def call_tool(tool_name: str, arguments: Any, *args: Any, **kwargs: Any) -> Any:
            async def ask(tool_name: str, arguments: Any) -> Any:
                result = await server.call_tool(tool_name, arguments, *args, **kwargs)
                return RESULT.dump_python(result, mode="json", by_alias=True)

            options = self._own.get(tool_name, self._options)
            if options is False:
                return await server.call_tool(tool_name, arguments, *args, **kwargs)
            name = f"openai_agents.mcp:{server.name}:{tool_name}"
            return RESULT.validate_python(await call(name, ask, tool_name, arguments, **options))

        made.list_tools, made.call_tool = list_tools, call_tool
        return made

    def _handoff(self, handoff: Any) -> Any:
        if isinstance(handoff, Agent):
            return self.durable(handoff)
        if not isinstance(handoff, Handoff):
            return handoff
        made = copy.copy(handoff)

        async def invoke(*args: Any, **kwargs: Any) -> Any:
            return self.durable(await handoff.on_invoke_handoff(*args, **kwargs))

        made.on_invoke_handoff = invoke
        return made


def _guardrail(guardrail: Any) -> Any:
    """The same whose check is a step."""
    made = copy.copy(guardrail)
    made.guardrail_function = _step(f"openai_agents.guardrail:{guardrail.get_name()}", guardrail.guardrail_function)
    made.name = guardrail.get_name()
    return made


def _step(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a step of this name; its arguments are objects of the framework's, and not compared."""

    async def check(*args: Any, **kwargs: Any) -> Any:
        async def body() -> Any:
            found = function(*args, **kwargs)
            return await found if inspect.isawaitable(found) else found

        return await call(name, body)

    return check
