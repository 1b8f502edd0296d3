"""Pydantic AI: `PerdureDurability` makes an agent durable where it runs inside a workflow.

It is a capability, by the framework's public interface for engines of durable execution. Model requests, tools, MCP
servers, event handlers and the durable operations of other capabilities become steps; outside a workflow the agent is
what it was. Needs pydantic-ai 2.68.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, get_args

from ._needs import needs

with needs("Pydantic AI", "pydantic-ai"):
    from pydantic_ai.capabilities import (
        AbstractCapability,
        CapabilityOrdering,
        CombinedCapability,
        Instrumentation,
        RequestInput,
    )
    from pydantic_ai.durable_exec import (
        JSON_CODEC,
        BaseDurabilityCapability,
        DurabilityEngineSpec,
        JournalCallableOperationBackend,
        RoleBasedOperationConfig,
        conversation_id_from_run_id,
        external_event_scope,
        record_durable_unit,
        replay_scope,
    )

from .. import UsageError, call, now, sleep, uuid4, where
from ._pydantic_events import HookWaiter, expect_decisions
from ._pydantic_streams import streamed_to
from ._step_options import StepOptions, step_options

__all__ = ["PerdureDurability", "StepOptions"]

Mode = Literal["parallel", "parallel_ordered_events", "sequential"]
METADATA_KEY = "perdure"
"""Under which a tool's metadata has its options, or False."""


class PerdureDurability(BaseDurabilityCapability[Any]):
    """`Agent(..., name="shop", capabilities=[PerdureDurability()])`: called in a workflow, the agent's requests to its
    model and its tools are steps; a run that goes on after a crash repeats none that is recorded.

    - `models`: further models by their id, for `agent.run(model=...)`.
    - `event_stream_handler`: told of events. Those of a model's answer come while it arrives, inside the step that asks
      the model; each other one is a step of its own.
    - `stream`: the key of the run's stream to which all these events are written, as JSON: whoever reads it sees the
      answer while it arrives.
    - `name`: stands in the names of the steps, by default the agent's. It is kept in the database: leave it as it is.
    - `model_options`, `tool_options`, `event_options`, `capability_options`: `StepOptions` of those steps: `retries`,
      `timeout`, `at_most_once`. A tool's own are in its metadata, `metadata={"perdure": {"retries": 3}}`; with
      `metadata={"perdure": False}` it is no step and runs as a part of the workflow.
    - `event_types`: what the answers to external events must be, by the names of the waits; those of `RequestInput` are
      `DeferredToolResults` that decide about each call. Each is a hook of the workflow: `perdure.resolve(token, ...)`.
    - `parallel_execution_mode`: of tool calls; `"parallel"` by default, all of an answer at once.

    Raises `UsageError` for options that cannot be.
    """

    engine_spec = DurabilityEngineSpec(
        engine_name="Perdure",
        durable_unit_noun="step",
        durable_container_noun="workflow",
        codec=JSON_CODEC,
        toolset_lifecycles={"function": "enter-always", "mcp": "enter-in-durable-unit", "dynamic": "enter-never"},
        tool_config_key=METADATA_KEY,
    )

    def __init__(
        self,
        *,
        models: Mapping[str, Any] | None = None,
        event_stream_handler: Any = None,
        name: str | None = None,
        model_options: StepOptions | None = None,
        tool_options: StepOptions | None = None,
        event_options: StepOptions | None = None,
        capability_options: StepOptions | None = None,
        parallel_execution_mode: Mode = "parallel",
        event_types: Mapping[str, Any] | None = None,
        stream: str | None = None,
    ) -> None:
        if stream is not None:
            event_stream_handler = streamed_to(stream, event_stream_handler)
        super().__init__(models=models, event_stream_handler=event_stream_handler, name=name)
        self._tool_options = step_options(tool_options, "tool_options")
        self._config = RoleBasedOperationConfig(
            model=step_options(model_options, "model_options"),
            event=step_options(event_options, "event_options"),
            capability=step_options(capability_options, "capability_options"),
            tool=self._tool_options,
            resolve_tool=self._options_of_tool,
        )
        if parallel_execution_mode not in get_args(Mode):
            raise UsageError(f"parallel_execution_mode={parallel_execution_mode!r}: give one of {get_args(Mode)}")
        self._mode = parallel_execution_mode
        self._event_types = dict(event_types or {})

    def _options_of_tool(self, operation_id: object, tool: Any, tool_name: str) -> StepOptions | Literal[False]:
        own = None if tool is None else (tool.tool_def.metadata or {}).get(METADATA_KEY)
        if own is False:
            return False
        return {**self._tool_options, **step_options(own, f"tool {tool_name!r}, metadata[{METADATA_KEY!r}]")}

    def for_agent(self, agent: Any) -> Any:
        """The capability of this agent, and around it all what keeps its telemetry from being counted again."""
        return CombinedCapability([CountedOnce(), super().for_agent(agent)])

    @property
    def in_durable_context(self) -> bool:
        """Whether the calling code is a workflow's own."""
        return where() == "workflow"

    def get_durable_operation_backend(self) -> Any:
        """What makes steps of the framework's operations."""
        return StepBackend(agent_name=self.name, default_model_id=self.default_model_id, config=self._config)

    def get_default_run_id(self) -> str | None:
        """The same at every replay."""
        return str(uuid4()) if self.in_durable_context else None

    def get_default_conversation_id(self, run_id: str) -> str | None:
        """The same at every replay."""
        return conversation_id_from_run_id(run_id) if self.in_durable_context else None

    async def get_run_start_time(self, run_id: str) -> datetime | None:
        """When the agent's run began, in whichever process that was: its `timeout=` counts from then."""
        return now() if self.in_durable_context else None

    def get_ordering(self) -> Any:
        """Outside of `RequestInput`: whose calls it asks about has to be known."""
        return replace(super().get_ordering(), wraps=(RequestInput,))

    async def handle_deferred_tool_calls(self, ctx: Any, *, requests: Any) -> None:
        """Decide about none, and keep which these are: an answer to the hook must be about them."""
        expect_decisions(ctx.root_capability, requests)

    async def wrap_run(self, ctx: Any, *, handler: Any) -> Any:
        """Run the agent with parallel tools and durable pauses."""
        with ExitStack() as scopes:
            if self.agent is not None and self.in_durable_context:
                scopes.enter_context(self.agent.parallel_tool_call_execution_mode(self._mode))
                scopes.enter_context(self.agent.using_sleep(_pause))
                scopes.enter_context(external_event_scope(HookWaiter(self.name, self._event_types)))
            return await super().wrap_run(ctx, handler=handler)


class CountedOnce(AbstractCapability[Any]):
    """Around an agent's whole run: spans, tokens and costs of what is only replayed are not reported again."""

    def get_ordering(self) -> Any:
        """Outside of the framework's instrumentation, whose span of the run must be left out too."""
        return CapabilityOrdering(position="outermost", wraps=(Instrumentation,))

    async def wrap_run(self, ctx: Any, *, handler: Any) -> Any:
        """Run the agent in a scope of its own."""
        if where() != "workflow":
            return await handler()
        with replay_scope():
            return await handler()


class StepBackend(JournalCallableOperationBackend[StepOptions]):
    """Runs each operation of the framework as one step, known by the operation's name."""

    async def execute(
        self,
        *,
        operation_id: object,
        name: str,
        body: Callable[[], Awaitable[object]],
        cache_key: tuple[object, ...],
        config: StepOptions,
    ) -> object:
        """The operation's outcome, recorded or run; the framework's telemetry is told which of both."""
        has_run = False

        async def run(identity: str) -> object:
            nonlocal has_run
            has_run = True
            return await body()

        try:
            return await call(name, run, call_of(cache_key), **config)
        finally:
            record_durable_unit(executed=has_run)


def call_of(cache_key: tuple[object, ...]) -> str:
    """The id that the model gave a tool's call, by which calls of one tool beside each other are told apart; or ''."""
    contexts = [part for part in cache_key if hasattr(part, "tool_call_id")]
    return getattr(contexts[0], "tool_call_id", None) or "" if contexts else ""


async def _pause(seconds: float) -> None:
    """A pause of the framework between two attempts or questions: durable in a workflow."""
    await sleep(max(0.0, seconds))
