"""Pydantic AI: what becomes a step, under which name, and what is not repeated or counted twice on replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import hold, live_twice, ran, step_names

pytest.importorskip("pydantic_ai")

from pydantic_ai import Agent, ModelRetry, RunContext
from pydantic_ai.exceptions import ModelHTTPError, UserError
from pydantic_ai.mcp import MCPToolset
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.instrumented import InstrumentationSettings
from pydantic_ai.toolsets import FunctionToolset
from pydantic_ai.usage import RequestUsage

from perdure.integrations.pydantic_ai import PerdureDurability

CALLS: list[ToolCallPart] = []
"""What the model asks for, first of all."""


async def answers(messages: list[Any], info: Any) -> ModelResponse:
    """A model: asks for `CALLS`, then says what came back."""
    ran["model"] += 1
    if len(messages) == 1 and CALLS:
        return ModelResponse(parts=list(CALLS), usage=RequestUsage(input_tokens=100, output_tokens=10))
    found = [str(part.content) for part in messages[-1].parts]
    return ModelResponse(parts=[TextPart(" ".join(found))], usage=RequestUsage(input_tokens=100, output_tokens=10))


async def streams(messages: list[Any], info: Any) -> Any:
    """The same, in pieces."""
    ran["model"] += 1
    yield "in "
    yield "pieces"


TOLD: list[str] = []


async def listen(context: RunContext[None], events: AsyncIterable[Any]) -> None:
    """Somebody who watches the agent."""
    async for event in events:
        TOLD.append(event.event_kind)


own = FunctionToolset[None](id="own")
tries = 0


@own.tool_plain
async def double(n: int) -> int:
    ran["double"] += 1
    return 2 * n


@own.tool_plain(metadata={"perdure": False})
async def inline(n: int) -> int:
    ran[f"inline in a {perdure.where()}"] += 1
    return n


@own.tool_plain(metadata={"perdure": {"retries": perdure.Retry(attempts=3, initial_seconds=0.001)}})
async def shaky() -> str:
    ran["shaky"] += 1
    if ran["shaky"] < 3:
        raise ConnectionError("again")
    return "steady"


@own.tool_plain(metadata={"perdure": {"timeout": 0.01}})
async def slow() -> str:
    await asyncio.sleep(60)
    return "late"


@own.tool_plain
async def refusing(n: int) -> str:
    ran["refusing"] += 1
    raise ModelRetry("give me less")


durability = PerdureDurability(models={"other": FunctionModel(answers)})
plain = Agent(FunctionModel(answers), name="shop", toolsets=[own], capabilities=[durability])
told = Agent(
    FunctionModel(answers, stream_function=streams),
    name="told",
    capabilities=[PerdureDurability(event_stream_handler=listen)],
)


@perdure.workflow
async def asks(agent: str, model: str | None) -> str:
    chosen = {"shop": plain, "told": told}[agent]
    said = (await chosen.run("go", model=model)).output
    await hold()
    return str(said)


async def play(tmp_path: Path, *calls: ToolCallPart, agent: str = "shop", model: str | None = None) -> str:
    """What the agent says, in a run that is replayed once."""
    CALLS[:] = calls
    TOLD.clear()
    return str(await live_twice(str(tmp_path / "p.db"), asks, agent, model))


async def test_operation_names_are_kept(tmp_path: Path) -> None:
    """They are in the databases of users: whoever changes one strands their runs."""
    await play(tmp_path, ToolCallPart("double", {"n": 4}), model="other")
    assert step_names(tmp_path / "p.db") == [
        "shop__function_toolset__own.call_tool:double",
        "shop__model.request.other",
        "shop__model.request.other",
    ]


async def test_nothing_recorded_runs_again(tmp_path: Path) -> None:
    """Neither the model nor a tool, and the run goes the same way."""
    said = await play(tmp_path, ToolCallPart("double", {"n": 4}), ToolCallPart("double", {"n": 5}))
    assert said == "8 10"
    assert ran == {"model": 2, "double": 2}


async def test_a_tool_may_be_no_step(tmp_path: Path) -> None:
    """It is a part of the workflow then, and runs again with it."""
    await play(tmp_path, ToolCallPart("inline", {"n": 4}))
    assert ran == {"model": 2, "inline in a workflow": 2}


async def test_a_tool_has_retries_of_its_own(tmp_path: Path) -> None:
    """By its metadata."""
    assert await play(tmp_path, ToolCallPart("shaky", {})) == "steady"
    assert ran["shaky"] == 3


async def test_a_tool_has_a_timeout_of_its_own(tmp_path: Path) -> None:
    """By its metadata; the error is the workflow's."""
    CALLS[:] = [ToolCallPart("slow", {})]
    async with perdure.running(str(tmp_path / "p.db")):
        with pytest.raises(perdure.StepTimeoutError):
            await asks("shop", None)


async def test_the_model_is_told_to_try_again_on_replay_too(tmp_path: Path) -> None:
    """ModelRetry is an answer to the model, not an error: it is recorded like one."""
    said = await play(tmp_path, ToolCallPart("refusing", {"n": 4}))
    assert said == "give me less"
    assert ran == {"model": 2, "refusing": 1}


async def test_events_are_handled_once(tmp_path: Path) -> None:
    """Those of the model inside its step, the others in steps of their own."""
    assert await play(tmp_path, agent="told") == "in pieces"
    assert TOLD.count("part_start") == 1
    assert TOLD.count("part_delta") >= 1
    assert ran == {"model": 1}
    assert "told__model.request_stream" in step_names(tmp_path / "p.db")


def test_options_that_cannot_be_are_refused() -> None:
    """Where they are given, with their place."""
    with pytest.raises(perdure.UsageError, match="tool_options: 'retry' is no option of a step"):
        PerdureDurability(tool_options={"retry": 3})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(perdure.UsageError, match="model_options: "):
        PerdureDurability(model_options={"at_most_once": True, "retries": 3})
    with pytest.raises(perdure.UsageError, match="parallel_execution_mode='both'"):
        PerdureDurability(parallel_execution_mode="both")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="unique `name`"):
        Agent(FunctionModel(answers), capabilities=[PerdureDurability()])


async def test_outside_a_workflow_it_is_the_agent_that_it_was() -> None:
    """No database, no run."""
    CALLS[:] = [ToolCallPart("double", {"n": 4})]
    assert (await plain.run("go")).output == "8"


async def fails(messages: list[Any], info: Any) -> ModelResponse:
    """A model whose service is down."""
    ran["model"] += 1
    raise ModelHTTPError(503, "a model", {"error": "busy"})


broken = Agent(FunctionModel(fails), name="broken", capabilities=[PerdureDurability()])


@perdure.workflow
async def catches() -> int:
    try:
        await broken.run("go")
    except ModelHTTPError as error:
        await hold()
        return error.status_code
    return 0


async def test_an_error_of_the_model_is_its_own_on_replay(tmp_path: Path) -> None:
    """By its class and its fields, so that whoever catches it does the same."""
    assert await live_twice(str(tmp_path / "p.db"), catches) == 503
    assert ran == {"model": 1}


def spans(exporter: Any) -> list[str]:
    """The names of what was exported since the last look."""
    names = sorted(span.name for span in exporter.get_finished_spans())
    exporter.clear()
    return names


def tokens(reader: Any) -> int:
    """How many tokens were counted so far."""
    report = reader.get_metrics_data()
    metrics = [
        metric for resource in report.resource_metrics for scope in resource.scope_metrics for metric in scope.metrics
    ]
    return sum(int(point.sum) for metric in metrics if "token" in metric.name for point in metric.data.data_points)


async def test_spans_and_tokens_are_reported_once(tmp_path: Path) -> None:
    """A replay reports none of what the first life has reported."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter, reader, provider = InMemorySpanExporter(), InMemoryMetricReader(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    first: list[str] = []
    CALLS[:] = [ToolCallPart("double", {"n": 4})]
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider, meter_provider=MeterProvider([reader])))
    try:
        await live_twice(str(tmp_path / "p.db"), asks, "shop", None, between=lambda: first.extend(spans(exporter)))
    finally:
        Agent.instrument_all(False)
    assert len([name for name in first if name.startswith("chat")]) == 2
    assert len([name for name in first if "double" in name]) == 1
    assert spans(exporter) == []
    assert tokens(reader) == 220


def add(a: int, b: int) -> int:
    """The sum."""
    ran["add"] += 1
    return a + b


def mcp_server() -> Any:
    """A server with one tool."""
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("sums")
    server.tool()(add)
    return server


counting = Agent(
    FunctionModel(answers),
    name="counting",
    toolsets=[MCPToolset(mcp_server(), id="sums")],
    capabilities=[PerdureDurability()],
)


@perdure.workflow
async def counts() -> str:
    said = (await counting.run("go")).output
    await hold()
    return str(said)


async def test_calls_of_an_mcp_server_are_steps(tmp_path: Path) -> None:
    """Its list of tools, too."""
    CALLS[:] = [ToolCallPart("add", {"a": 2, "b": 3})]
    assert await live_twice(str(tmp_path / "p.db"), counts) == "5"
    assert ran == {"model": 2, "add": 1}
    assert {
        "counting__mcp_server__sums.call_tool",
        "counting__mcp_server__sums.get_tools",
    } <= set(step_names(tmp_path / "p.db"))


LIVE = asyncio.Event()


async def slowly(messages: list[Any], info: Any) -> Any:
    """Gives its first piece, and the rest when somebody has read that."""
    async for piece in streams(messages, info):
        yield piece
        await LIVE.wait()


live = Agent(
    FunctionModel(stream_function=slowly),
    name="live",
    capabilities=[PerdureDurability(stream="events", event_stream_handler=listen)],
)


@perdure.workflow
async def is_watched() -> str:
    said = (await live.run("go")).output
    await perdure.sleep(0.1)  # leaves memory, and is replayed
    return said


async def test_a_stream_is_read_while_the_model_answers(tmp_path: Path) -> None:
    """Outside the run, beside the handler; a replay writes nothing again, and the model is not asked again."""
    LIVE.clear()
    ran.clear()
    TOLD.clear()
    async with perdure.running(str(tmp_path / "p.db"), park_after_seconds=0.0, poll_seconds=0.05):
        handle = await perdure.astart(is_watched)
        kinds, text = [], ""
        async for event in handle.stream("events", timeout=20):
            kinds.append(event["event_kind"])
            text += event.get("part", event.get("delta", {})).get("content" if "part" in event else "content_delta", "")
            LIVE.set()
            if event["event_kind"] == "part_end":
                break
        assert await handle == "in pieces"
        again = [event["event_kind"] async for event in handle.stream("events")]
    assert {"part_start", "part_delta"} <= set(kinds)
    assert text.startswith("in pieces")
    assert again[: len(kinds)] == kinds
    assert again == TOLD
    assert ran == {"model": 1}
