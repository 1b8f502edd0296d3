"""Google ADK: what becomes a step, under which name, and what is not repeated on replay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import Reader, hold, live_twice, ran, resolve_when_open, step_names

pytest.importorskip("google.adk", reason="make agents")

from google.adk.agents import LlmAgent, RunConfig
from google.adk.agents.run_config import StreamingMode
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.adk.tools import FunctionTool, ToolContext
from google.genai import types

from perdure.integrations.google_adk import PerdurePlugin

SURE = "sure?"


class Answers(BaseLlm):
    """Asks for a tool, then says what came back."""

    wants: str = ""

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncGenerator[LlmResponse, None]:
        ran["model"] += 1
        parts = [part for content in llm_request.contents for part in content.parts]
        found = [str(part.function_response.response) for part in parts if part.function_response]
        if stream:
            for text, is_part in (("in ", True), ("pieces", True), ("in pieces", False)):
                yield LlmResponse(content=said(text), partial=is_part)
        elif self.wants and not found:
            call = types.FunctionCall(name=self.wants, args={"n": 4})
            yield LlmResponse(content=types.Content(role="model", parts=[types.Part(function_call=call)]))
        else:
            yield LlmResponse(content=said(" ".join(found) or "nothing"))


def said(text: str) -> types.Content:
    """What a model says."""
    return types.Content(role="model", parts=[types.Part(text=text)])


async def double(n: int, tool_context: ToolContext) -> dict[str, int]:
    """Twice as much, and remembers it."""
    ran["double"] += 1
    tool_context.state["doubled"] = 2 * n
    return {"result": 2 * n}


async def inline(n: int) -> dict[str, str]:
    """No step."""
    ran[f"inline in a {perdure.where()}"] += 1
    return {"result": "inline"}


async def shaky(n: int) -> dict[str, str]:
    """Works the third time."""
    ran["shaky"] += 1
    if ran["shaky"] < 3:
        raise ConnectionError("again")
    return {"result": "steady"}


async def person(n: int) -> dict[str, str]:
    """No step, so that it can wait by a hook of the workflow."""
    return {"result": await perdure.hook(str, token=SURE)}


def seen(tool: Any, args: Any, tool_context: Any) -> None:
    """A callback of the agent's own."""
    ran[f"callback of {tool.name}"] += 1


TOOLS = {tool.__name__: tool for tool in (double, inline, person, shaky)}
AGENTS = {
    name: LlmAgent(name=name, model=Answers(model="answers", wants=name), tools=[tool], before_tool_callback=seen)
    for name, tool in TOOLS.items()
}
AGENTS["asking"] = LlmAgent(
    name="asking",
    model=Answers(model="answers", wants="double"),
    tools=[FunctionTool(double, require_confirmation=True)],
)
AGENTS["quiet"] = LlmAgent(name="quiet", model=Answers(model="answers"))
OWN: dict[str, Any] = {
    "inline": False,
    "person": False,
    "shaky": {"retries": perdure.Retry(attempts=3, initial_seconds=0.001)},
}


async def talk(agent: str, mode: str) -> tuple[list[str], dict[str, Any]]:
    """What the agent says, and the state of its session."""
    sessions = InMemorySessionService()
    runner = Runner(app_name="shop", agent=AGENTS[agent], session_service=sessions, plugins=[PerdurePlugin(tools=OWN)])
    session = await sessions.create_session(app_name="shop", user_id="ada")
    texts = []
    async for event in runner.run_async(
        user_id="ada",
        session_id=session.id,
        new_message=types.Content(role="user", parts=[types.Part(text="go")]),
        run_config=RunConfig(streaming_mode=StreamingMode(mode) if mode else StreamingMode.NONE),
    ):
        texts += [part.text for part in (event.content.parts if event.content else []) if part.text]
    kept = await sessions.get_session(app_name="shop", user_id="ada", session_id=session.id)
    assert kept is not None
    return texts, dict(kept.state)


@perdure.workflow
async def asks(agent: str, mode: str) -> tuple[list[str], dict[str, Any]]:
    found = await talk(agent, mode)
    await hold()
    return found


async def play(tmp_path: Path, agent: str, mode: str = "") -> Any:
    """What the agent says, in a run that is replayed once."""
    return await live_twice(str(tmp_path / "p.db"), asks, agent, mode)


async def test_nothing_recorded_runs_again_and_names_are_kept(tmp_path: Path) -> None:
    """Names are in users' databases. What a tool has changed of the session's state is there on replay as well."""
    assert await play(tmp_path, "double") == (["{'result': 8}"], {"doubled": 8})
    assert ran == {"model": 2, "double": 1, "callback of double": 2}
    assert step_names(tmp_path / "p.db") == [
        "google_adk.model:answers",
        "google_adk.model:answers",
        "google_adk.tool:double",
    ]


async def test_a_tool_may_be_no_step(tmp_path: Path) -> None:
    """It is a part of the workflow then, and runs again with it."""
    await play(tmp_path, "inline")
    assert ran["inline in a workflow"] == 2


async def test_a_tool_that_is_no_step_waits_for_a_person(tmp_path: Path) -> None:
    """By a hook of the workflow, whose answer is recorded."""
    answering = asyncio.create_task(resolve_when_open(SURE, "yes"))
    assert (await play(tmp_path, "person"))[0] == ["{'result': 'yes'}"]
    await answering
    assert ran["model"] == 2


async def test_a_tool_has_options_of_its_own(tmp_path: Path) -> None:
    """By its name."""
    assert (await play(tmp_path, "shaky"))[0] == ["{'result': 'steady'}"]
    assert ran["shaky"] == 3


async def test_a_tool_that_must_be_confirmed_is_not_run(tmp_path: Path) -> None:
    """The framework's own gate comes before the step."""
    await play(tmp_path, "asking")
    assert ran["double"] == 0


async def test_a_stream_is_recorded_as_a_list(tmp_path: Path) -> None:
    """All of it comes again, and the model is not asked again."""
    assert (await play(tmp_path, "quiet", "sse"))[0] == ["in ", "pieces", "in pieces"]
    assert ran["model"] == 1


READER = Reader()


class Slow(Answers):
    """Gives its first piece, and the rest when somebody has read that; the first time it breaks then."""

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncGenerator[LlmResponse, None]:
        async for response in super().generate_content_async(llm_request, stream):
            yield response
            await READER.has_read.wait()
            if ran["model"] == 1:
                raise ConnectionError("cut off")


SLOW = LlmAgent(name="slow", model=Slow(model="slow"))


@perdure.workflow
async def streams() -> list[str]:
    plugin = PerdurePlugin(stream="tokens", model_options={"retries": perdure.Retry(attempts=2, initial_seconds=0.001)})
    runner = Runner(
        app_name="shop",
        agent=SLOW,
        session_service=InMemorySessionService(),
        plugins=[plugin],
        auto_create_session=True,
    )
    texts = []
    async for event in runner.run_async(
        user_id="ada",
        session_id="s",
        new_message=said("go"),
        run_config=RunConfig(streaming_mode=StreamingMode.SSE),
    ):
        texts += [part.text or "" for part in (event.content.parts or [] if event.content else [])]
    await perdure.sleep(0.1)
    return texts


async def test_a_stream_is_read_while_the_model_answers(tmp_path: Path) -> None:
    """Outside the run. What an attempt had said that was made again is void; a replay writes nothing again."""
    live, again, texts = await READER.read(str(tmp_path / "p.db"), streams)
    assert [response["content"]["parts"][0]["text"] for response in live] == texts == ["in ", "pieces", "in pieces"]
    assert [response.get("partial") for response in live] == [True, True, False]
    assert again == live
    assert ran == {"model": 2, "rewound": 1}


def test_options_that_cannot_be_are_refused() -> None:
    """Where they are given, with their place."""
    with pytest.raises(perdure.UsageError, match="tool 'double': 'retry' is no option of a step"):
        PerdurePlugin(tools={"double": {"retry": 3}})  # type: ignore[typeddict-unknown-key]


async def test_outside_a_workflow_it_is_the_agent_that_it_was() -> None:
    """No database, no run."""
    assert (await talk("double", ""))[0] == ["{'result': 8}"]
