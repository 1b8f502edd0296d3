"""OpenAI Agents SDK: what becomes a step, under which name, and what is not repeated on replay."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import hold, live_twice, ran, step_names

pytest.importorskip("agents.run", reason="make agents")

from agents import (
    Agent,
    GuardrailFunctionOutput,
    InputGuardrailTripwireTriggered,
    Model,
    ModelProvider,
    ModelResponse,
    RunConfig,
    SQLiteSession,
    Usage,
    function_tool,
    input_guardrail,
    output_guardrail,
    set_tracing_disabled,
)
from agents.mcp import MCPServer
from mcp.types import CallToolResult, TextContent
from mcp.types import Tool as MCPTool
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseTextDeltaEvent,
)

from perdure.integrations.openai_agents import PerdureSession, durable, run, run_streamed

set_tracing_disabled(True)


def said(text: str) -> ResponseOutputMessage:
    """What a model says."""
    part = ResponseOutputText(text=text, type="output_text", annotations=[])
    return ResponseOutputMessage(id="m", content=[part], role="assistant", status="completed", type="message")


def wants(name: str, **arguments: Any) -> ResponseFunctionToolCall:
    """What a model asks for."""
    return ResponseFunctionToolCall(
        call_id=f"call {name}", name=name, arguments=json.dumps(arguments), type="function_call"
    )


class Answers(Model):
    """Asks for these things, then says what came back, or how much it has been told."""

    def __init__(self, *calls: ResponseFunctionToolCall) -> None:
        self.calls = calls

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        ran["model"] += 1
        outputs = [item["output"] for item in input if not isinstance(item, str) and "output" in item]
        if self.calls and not outputs:
            return ModelResponse(output=list(self.calls), usage=Usage(requests=1, input_tokens=7), response_id=None)
        text = " ".join(map(str, outputs)) or f"told {len(input) if isinstance(input, list) else 1}"
        return ModelResponse(output=[said(text)], usage=Usage(requests=1, input_tokens=7), response_id=None)

    async def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        ran["model"] += 1
        for piece in ("in ", "pieces"):
            yield ResponseTextDeltaEvent(
                content_index=0,
                delta=piece,
                item_id="m",
                logprobs=[],
                output_index=0,
                sequence_number=1,
                type="response.output_text.delta",
            )
        response = Response(
            id="r",
            created_at=0.0,
            model="m",
            object="response",
            output=[said("in pieces")],
            parallel_tool_calls=True,
            tool_choice="auto",
            tools=[],
        )
        yield ResponseCompletedEvent(response=response, sequence_number=2, type="response.completed")


@function_tool
async def double(n: int) -> int:
    """Twice as much."""
    ran["double"] += 1
    return 2 * n


@function_tool
async def inline() -> str:
    """No step."""
    ran[f"inline in a {perdure.where()}"] += 1
    return "inline"


@function_tool(failure_error_function=None)
async def shaky() -> str:
    """Works the third time."""
    ran["shaky"] += 1
    if ran["shaky"] < 3:
        raise ConnectionError("again")
    return "steady"


@input_guardrail
async def polite(context: Any, agent: Any, input: Any) -> GuardrailFunctionOutput:
    """Refuses what is rude."""
    ran["guardrail"] += 1
    return GuardrailFunctionOutput(output_info={"looked at": str(input)}, tripwire_triggered="rude" in str(input))


@output_guardrail
def short(context: Any, agent: Any, output: Any) -> GuardrailFunctionOutput:
    """Sync, as guardrails may be."""
    ran["guardrail"] += 1
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


class Sums(MCPServer):
    """A server with one tool."""

    name = "sums"

    async def connect(self) -> None:
        """Nothing to connect to."""

    async def cleanup(self) -> None:
        """Nothing to clean up."""

    async def list_tools(self, *args: Any, **kwargs: Any) -> list[MCPTool]:
        ran["list"] += 1
        return [MCPTool(name="add", input_schema={"type": "object", "properties": {}})]

    async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> CallToolResult:
        ran["add"] += 1
        return CallToolResult(content=[TextContent(type="text", text="5")])

    async def list_prompts(self) -> Any:
        raise NotImplementedError

    async def get_prompt(self, name: str, arguments: Any = None) -> Any:
        raise NotImplementedError


helper = Agent(name="helper", model=Answers(wants("double", n=21)), tools=[double])
AGENTS = {
    "shop": Agent(
        name="shop",
        model=Answers(wants("double", n=4)),
        tools=[double],
        input_guardrails=[polite],
        output_guardrails=[short],
    ),
    "inline": Agent(name="inline", model=Answers(wants("inline"), wants("shaky")), tools=[inline, shaky]),
    "handing": Agent(name="handing", model=Answers(wants("transfer_to_helper")), handoffs=[helper]),
    "mcp": Agent(name="mcp", model=Answers(wants("add", a=2, b=3)), mcp_servers=[Sums()]),
    "named": Agent(name="named", model="some-model"),
    "quiet": Agent(name="quiet", model=Answers()),
}
OPTIONS: dict[str, Any] = {"inline": False, "shaky": {"retries": perdure.Retry(attempts=3, initial_seconds=0.001)}}


class Models(ModelProvider):
    """Whoever is asked for a model by its name."""

    def get_model(self, model_name: str | None) -> Model:
        assert model_name == "some-model"
        return Answers()


@perdure.workflow
async def asks(agent: str, question: str) -> str:
    result = await run(AGENTS[agent], question, tools=OPTIONS, run_config=RunConfig(model_provider=Models()))
    await hold()
    return f"{result.final_output}, {result.context_wrapper.usage.input_tokens} tokens"


async def play(tmp_path: Path, agent: str, question: str = "go") -> str:
    """What the agent says, in a run that is replayed once."""
    return str(await live_twice(str(tmp_path / "p.db"), asks, agent, question))


async def test_nothing_recorded_runs_again_and_names_are_kept(tmp_path: Path) -> None:
    """The names are in the databases of users: whoever changes one strands their runs."""
    assert await play(tmp_path, "shop") == "8, 14 tokens"
    assert ran == {"model": 2, "double": 1, "guardrail": 2}
    assert step_names(tmp_path / "p.db") == [
        "openai_agents.guardrail:polite",
        "openai_agents.guardrail:short",
        "openai_agents.model:Answers",
        "openai_agents.model:Answers",
        "openai_agents.tool:double",
    ]


async def test_a_tool_has_options_of_its_own_or_is_no_step(tmp_path: Path) -> None:
    """By its name; what is no step runs again with the workflow."""
    assert await play(tmp_path, "inline") == "inline steady, 14 tokens"
    assert ran == {"model": 2, "inline in a workflow": 2, "shaky": 3}


async def test_agents_that_are_handed_over_to_are_durable(tmp_path: Path) -> None:
    """Their models and tools."""
    assert (await play(tmp_path, "handing")).endswith("tokens")
    names = step_names(tmp_path / "p.db")
    assert names.count("openai_agents.model:Answers") == ran["model"]


async def test_calls_of_an_mcp_server_are_steps(tmp_path: Path) -> None:
    """Its list of tools, too."""
    assert "5" in await play(tmp_path, "mcp")
    assert ran["add"] == 1
    assert "openai_agents.mcp:sums:add" in step_names(tmp_path / "p.db")
    assert step_names(tmp_path / "p.db").count("openai_agents.mcp:sums, tools") == ran["list"]


async def test_a_model_that_is_named_is_durable(tmp_path: Path) -> None:
    """It comes from the provider of the run."""
    assert await play(tmp_path, "named") == "told 1, 7 tokens"
    assert step_names(tmp_path / "p.db") == ["openai_agents.model:some-model"]
    assert ran == {"model": 1}


@perdure.workflow
async def refuses() -> str:
    try:
        await run(AGENTS["shop"], "something rude")
    except InputGuardrailTripwireTriggered as error:
        await hold()
        return str(error.guardrail_result.output.output_info["looked at"])
    return "let through"


async def test_a_guardrail_refuses_on_replay_too(tmp_path: Path) -> None:
    """As it did, and without being asked again."""
    assert "something rude" in await live_twice(str(tmp_path / "p.db"), refuses)
    assert ran["guardrail"] == 1


@perdure.workflow
async def streamed() -> list[str]:
    result = run_streamed(AGENTS["quiet"], "go")
    found = [event.data.delta async for event in result.stream_events() if hasattr(getattr(event, "data", 0), "delta")]
    await hold()
    return [*found, result.final_output]


async def test_a_stream_is_recorded_as_a_list(tmp_path: Path) -> None:
    """All of its events come again, and the model is not asked again."""
    assert await live_twice(str(tmp_path / "p.db"), streamed) == ["in ", "pieces", "in pieces"]
    assert ran == {"model": 1}


LIVE = asyncio.Event()


class Slow(Answers):
    """Gives its first piece, and the rest when somebody has read that."""

    async def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        async for event in super().stream_response(*args, **kwargs):
            yield event
            await LIVE.wait()


@perdure.workflow
async def streamed_live() -> str:
    result = run_streamed(Agent(name="slow", model=Slow()), "go", stream="tokens")
    async for _ in result.stream_events():
        pass
    await perdure.sleep(0.1)  # leaves memory, and is replayed
    return str(result.final_output)


async def test_a_stream_is_read_while_the_model_answers(tmp_path: Path) -> None:
    """Outside the run; a replay writes nothing again, and the model is not asked again."""
    LIVE.clear()
    ran.clear()
    async with perdure.running(str(tmp_path / "p.db"), park_after_seconds=0.0, poll_seconds=0.05):
        handle = await perdure.astart(streamed_live)
        tokens = []
        async for event in handle.stream("tokens", timeout=20):
            if "delta" in event:
                tokens.append(event["delta"])
                LIVE.set()
        assert await handle == "in pieces"
        again = [event async for event in handle.stream("tokens")]
    assert tokens == [event["delta"] for event in again if "delta" in event] == ["in ", "pieces"]
    assert ran == {"model": 1}


@perdure.workflow
async def converses(path: str) -> list[str]:
    session = PerdureSession("ada", SQLiteSession("ada", path) if path else None)
    said = [(await run(AGENTS["quiet"], question, session=session)).final_output for question in ("one", "two")]
    await hold()
    last = await session.pop_item()
    return [*said, f"{len(await session.get_items())} left", str(last["role"])]


@pytest.mark.parametrize("kept", ["in the run", "outside"])
async def test_a_session_is_the_same_on_replay(kept: str, tmp_path: Path) -> None:
    """In the run's memory, or in the framework's own store, to which nothing is added twice."""
    path = str(tmp_path / "s.db") if kept == "outside" else ""
    assert await live_twice(str(tmp_path / "p.db"), converses, path) == ["told 1", "told 3", "3 left", "assistant"]
    assert ran == {"model": 2}


async def test_what_was_cut_off_after_it_wrote_does_not_add_again(tmp_path: Path) -> None:
    """The step runs again then: it looks before it writes."""
    inner = SQLiteSession("ada", tmp_path / "s.db")
    session = PerdureSession("ada", inner)
    items: list[Any] = [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]
    for _ in range(2):
        await session._add(0, items)
    assert await inner.get_items() == items
    for _ in range(2):
        await session._pop(2)
    assert await inner.get_items() == items[:1]


def test_options_that_cannot_be_are_refused() -> None:
    """Where they are given, with their place."""
    with pytest.raises(perdure.UsageError, match="tool 'double': 'retry' is no option of a step"):
        durable(AGENTS["shop"], tools={"double": {"retry": 3}})  # type: ignore[typeddict-unknown-key]


async def test_outside_a_workflow_it_is_the_agent_that_it_was() -> None:
    """No database, no run."""
    assert (await run(AGENTS["shop"], "go")).final_output == "8"
