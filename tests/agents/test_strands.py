"""Strands: what becomes a step, under which name, and what is not repeated on replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import Reader, hold, live_twice, ran, resolve_when_open, step_names

pytest.importorskip("strands", reason="make agents")

from pydantic import BaseModel
from strands import Agent, ToolContext, tool
from strands.models import Model

from perdure.integrations.strands import PerdureModel, PerdurePlugin

SURE = "sure?"


class Sum(BaseModel):
    """A structured answer."""

    total: int


class Answers(Model):
    """Asks for a tool, then says what came back."""

    def __init__(self, wants: str = "") -> None:
        self.wants = wants
        self.config = {"model_id": "answers"}

    def update_config(self, **model_config: Any) -> None:
        self.config |= model_config

    def get_config(self) -> dict[str, Any]:
        return self.config

    async def structured_output(self, output_model: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        ran["model"] += 1
        yield {"output": output_model(total=7)}

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        ran["model"] += 1
        found = [part["toolResult"]["content"][0]["text"] for part in messages[-1]["content"] if "toolResult" in part]
        yield {"messageStart": {"role": "assistant"}}
        if self.wants and not found:
            yield {"contentBlockStart": {"start": {"toolUse": {"name": self.wants, "toolUseId": "t"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"n": 4}'}}}}
        else:
            yield {"contentBlockDelta": {"delta": {"text": " ".join(found) or "nothing"}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if self.wants and not found else "end_turn"}}


@tool
def double(n: int) -> str:
    """Twice as much; sync, as tools often are.

    Args:
        n: Of what.
    """
    ran["double"] += 1
    return str(2 * n)


@tool
async def inline(n: int) -> str:
    """No step.

    Args:
        n: A number.
    """
    ran[f"inline in a {perdure.where()}"] += 1
    return "inline"


@tool
async def person(n: int) -> str:
    """No step, so that it can wait by a hook of the workflow.

    Args:
        n: A number.
    """
    return await perdure.hook(str, token=SURE)


@tool(context=True)
async def asking(n: int, tool_context: ToolContext) -> str:
    """Asks a person.

    Args:
        n: A number.
    """
    return str(tool_context.interrupt("sure", reason="it costs"))


TOOLS: dict[str, Any] = {"double": double, "inline": inline, "person": person, "asking": asking}


def agent_for(wants: str, **own: Any) -> Agent:
    """An agent whose model asks for this tool."""
    plugin = PerdurePlugin(tools={"inline": False, "person": False, **own})
    return Agent(model=Answers(wants), tools=[TOOLS[wants]], plugins=[plugin], callback_handler=None)


async def talk(wants: str) -> str:
    """What an agent says."""
    return str(await agent_for(wants).invoke_async("go")).strip()


@perdure.workflow
async def asks(wants: str) -> str:
    said = await talk(wants)
    await hold()
    return said


async def test_nothing_recorded_runs_again_and_names_are_kept(tmp_path: Path) -> None:
    """The names are in the databases of users: whoever changes one strands their runs."""
    assert await live_twice(str(tmp_path / "p.db"), asks, "double") == "8"
    assert ran == {"model": 2, "double": 1}
    assert step_names(tmp_path / "p.db") == [
        "strands.model:Answers",
        "strands.model:Answers",
        "strands.tool:double",
    ]


async def test_a_tool_may_be_no_step(tmp_path: Path) -> None:
    """It is a part of the workflow then, and runs again with it."""
    assert await live_twice(str(tmp_path / "p.db"), asks, "inline") == "inline"
    assert ran["inline in a workflow"] == 2


async def test_a_tool_that_is_no_step_waits_for_a_person(tmp_path: Path) -> None:
    """By a hook of the workflow, whose answer is recorded."""
    answering = asyncio.create_task(resolve_when_open(SURE, "yes"))
    assert await live_twice(str(tmp_path / "p.db"), asks, "person") == "yes"
    await answering
    assert ran["model"] == 2


@perdure.workflow
async def structured() -> int:
    model = PerdureModel(Answers(), "answers")
    found = [event["output"].total async for event in model.structured_output(Sum, [])]
    await hold()
    return found[0]


async def test_a_structured_answer_is_recorded(tmp_path: Path) -> None:
    """And is an object of the same model on replay."""
    assert await live_twice(str(tmp_path / "p.db"), structured) == 7
    assert ran == {"model": 1}
    assert step_names(tmp_path / "p.db") == ["strands.model:answers, structured"]


@perdure.workflow
async def asks_somebody(is_step: bool) -> list[str]:
    agent = agent_for("asking") if is_step else agent_for("asking", asking=False)
    result = await agent.invoke_async("go")
    return [result.stop_reason, str(result).strip()]


async def test_what_asks_a_person_can_be_no_step(tmp_path: Path) -> None:
    """The model is told so; with False the framework stops the agent, as it does."""
    async with perdure.running(str(tmp_path / "p.db")):
        assert "can be no step" in (await asks_somebody(True))[1]
        assert (await asks_somebody(False))[0] == "interrupt"


READER = Reader()


class Slow(Answers):
    """Gives its first piece, and the rest when somebody has read that; the first time it breaks then."""

    async def stream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        async for event in super().stream(*args, **kwargs):
            yield event
            await READER.has_read.wait()
            if ran["model"] == 1:
                raise ConnectionError("cut off")


@perdure.workflow
async def streams(is_structured: bool) -> str:
    again = {"retries": perdure.Retry(attempts=2, initial_seconds=0.001)}
    if is_structured:
        model = PerdureModel(Answers(), stream="tokens")
        return str([event["output"].total async for event in model.structured_output(Sum, [])])
    plugin = PerdurePlugin(stream="tokens", model_options=again)  # type: ignore[arg-type]
    said = await Agent(model=Slow(), plugins=[plugin], callback_handler=None).invoke_async("go")
    await perdure.sleep(0.1)
    return str(said).strip()


async def test_a_stream_is_read_while_the_model_answers(tmp_path: Path) -> None:
    """Outside the run. What an attempt had said that was made again is void; a replay writes nothing again."""
    live, again, said = await READER.read(str(tmp_path / "p.db"), streams, False)
    assert [next(iter(event)) for event in live] == [
        "messageStart",
        "contentBlockDelta",
        "contentBlockStop",
        "messageStop",
    ]
    assert live[1]["contentBlockDelta"]["delta"]["text"] == said == "nothing"
    assert again == live
    assert ran == {"model": 2, "rewound": 1}


async def test_a_structured_answer_is_streamed_as_data(tmp_path: Path) -> None:
    """As JSON, whatever class it is of."""
    live, _, said = await READER.read(str(tmp_path / "p.db"), streams, True)
    assert (live, said) == ([{"output": {"total": 7}}], "[7]")


def test_a_durable_model_is_the_model_in_all_else() -> None:
    """Its configuration and its attributes."""
    model = PerdureModel(Answers("double"))
    model.update_config(temperature=0)
    assert model.get_config() == {"model_id": "answers", "temperature": 0}
    assert model.wants == "double"


def test_options_that_cannot_be_are_refused() -> None:
    """Where they are given, with their place."""
    with pytest.raises(perdure.UsageError, match="model_options: 'retry' is no option of a step"):
        PerdurePlugin(model_options={"retry": 3})  # type: ignore[typeddict-unknown-key]


async def test_outside_a_workflow_it_is_the_agent_that_it_was() -> None:
    """No database, no run."""
    assert await talk("double") == "8"
