"""OpenAI Agents SDK: `run(agent, question)` in a workflow, in the place of `Runner.run`.

Requests to models, function tools, guardrails and MCP servers become steps; outside a workflow they are what they were.
Needs openai-agents 0.24. What is more than a value or a line of the framework's own is in `_openai_*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from ._needs import needs

with needs("the OpenAI Agents SDK", "openai-agents"):
    from agents import RunConfig, Runner

from ..typing import Seconds
from ._openai_agents import DurableAgents
from ._openai_approvals import Approval, ApprovalRequest, ApprovedStream, Ask, approved, decided
from ._openai_models import PerdureModel, PerdureModels
from ._openai_session import PerdureSession
from ._openai_tracing import TracesOnce
from ._step_options import StepOptions, step_options

__all__ = [
    "Approval",
    "ApprovalRequest",
    "PerdureModel",
    "PerdureModels",
    "PerdureSession",
    "StepOptions",
    "TracesOnce",
    "durable",
    "run",
    "run_streamed",
]

ToolOptions = Mapping[str, "StepOptions | Literal[False]"]


def durable(
    agent: Any,
    *,
    tools: ToolOptions | None = None,
    tool_options: StepOptions | None = None,
    stream: str | None = None,
) -> Any:
    """A copy of the agent, and of those that it hands over to, with tools, guardrails and MCP servers as steps.

    `tools` are options by the name of a tool, with False for one that shall be no step; `tool_options` are those of all
    others. A model that the agent has as an object is durable too; one that it names needs `PerdureModels`, as `run`
    has. `stream` is the key of the run's stream to which such a model's answers are written while they arrive, where
    they are streamed. Raises `UsageError` for options that cannot be.
    """
    own = {
        name: given if given is False else step_options(given, f"tool {name!r}")
        for name, given in (tools or {}).items()
    }
    return DurableAgents(own, step_options(tool_options, "tool_options"), stream).durable(agent)


async def run(
    agent: Any,
    input: Any,
    *,
    run_config: Any = None,
    tools: ToolOptions | None = None,
    tool_options: StepOptions | None = None,
    model_options: StepOptions | None = None,
    ask: Ask | None = None,
    approval_timeout: Seconds | None = None,
    **others: Any,
) -> Any:
    """`Runner.run(agent, input, ...)` with everything durable; see `durable`. `others` are those of `Runner.run`.

    `model_options` are the options of the steps that ask a model that has a name. `ask`, in a workflow: called, as a
    step, with an `ApprovalRequest` for each call of a tool that needs approval; it hands the request to somebody, who
    resolves its token with an `Approval`, or returns one itself. The run waits for that as it waits for any hook, at
    most `approval_timeout`, then the call is refused; and the agent goes on. Without `ask` the result has the calls as
    `interruptions`, as the framework's own.
    """
    config, made = _config(run_config, model_options), durable(agent, tools=tools, tool_options=tool_options)
    result = await Runner.run(made, input, run_config=config, **others)
    if ask is None:
        return result

    async def go_on(state: Any) -> Any:
        return await Runner.run(made, state, run_config=config, **others)

    return await approved(result, ask, approval_timeout, go_on)


def run_streamed(
    agent: Any,
    input: Any,
    *,
    run_config: Any = None,
    tools: ToolOptions | None = None,
    tool_options: StepOptions | None = None,
    model_options: StepOptions | None = None,
    stream: str | None = None,
    ask: Ask | None = None,
    approval_timeout: Seconds | None = None,
    **others: Any,
) -> Any:
    """The same of `Runner.run_streamed`. In the workflow a model's events come when its answer is complete and
    recorded; with `stream`, the key of a stream of the run, whoever reads that gets them while they arrive.

    With `ask`, as of `run`, `stream_events()` waits for the decisions about the calls that need approval, and goes on
    with the events after them.
    """
    config = _config(run_config, model_options, stream)
    made = durable(agent, tools=tools, tool_options=tool_options, stream=stream)

    def begin(given: Any) -> Any:
        return Runner.run_streamed(made, given, run_config=config, **others)

    if ask is None:
        return begin(input)
    return ApprovedStream(begin(input), lambda result: decided(result, ask, approval_timeout), begin)


def _config(given: Any, options: StepOptions | None, stream: str | None = None) -> Any:
    """The framework's configuration of a run, with durable models."""
    config = RunConfig() if given is None else given
    if isinstance(config.model_provider, PerdureModels):
        return config
    models = PerdureModels(config.model_provider, options=options, stream=stream)
    own = config.model
    if own is not None and not isinstance(own, str):
        own = own if isinstance(own, PerdureModel) else PerdureModel(own, options=options, stream=stream)
    return replace(config, model_provider=models, model=own)
