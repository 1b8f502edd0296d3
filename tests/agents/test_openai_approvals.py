"""OpenAI Agents SDK: a tool that needs approval waits for a person, by a hook, through the death of the process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import hold, live_twice, ran, resolve_when_open, step_names

pytest.importorskip("agents")

from agents import Agent, Model, ModelResponse, Usage, function_tool, set_tracing_disabled
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

from perdure.integrations.openai_agents import Approval, ApprovalRequest, PerdureSession, run, run_streamed

set_tracing_disabled(True)
requests: list[ApprovalRequest] = []
STOP = "stop"
"""The token of whoever may stop the stream."""
POLICY: list[Approval] = []
"""What is decided at once."""


class Deletes(Model):
    """Wants to delete two things, then says what came back."""

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        ran["model"] += 1
        came_back = [str(item["output"]) for item in input if "output" in item] if isinstance(input, list) else []
        if came_back:
            text = ResponseOutputText(text=" | ".join(sorted(came_back)), type="output_text", annotations=[])
            output: list[Any] = [
                ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")
            ]
        else:
            output = [
                ResponseFunctionToolCall(
                    call_id=name, name="delete", arguments=json.dumps({"name": name}), type="function_call"
                )
                for name in ("a", "b")
            ]
        return ModelResponse(output=output, usage=Usage(requests=1), response_id=None)

    async def stream_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> Any:
        said = await self.get_response(system_instructions, input)
        whole = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "object": "response"}
        response = Response(id="r", created_at=0.0, model="m", output=said.output, **whole)
        yield ResponseCompletedEvent(response=response, sequence_number=1, type="response.completed")


@function_tool(needs_approval=True)
async def delete(name: str) -> str:
    """Deletes it."""
    ran[f"delete {name}"] += 1
    return f"{name} deleted"


agent = Agent(name="keeper", model=Deletes(), tools=[delete])


async def ask(request: ApprovalRequest) -> Approval | None:
    """Hands it to a person."""
    ran["ask"] += 1
    requests.append(request)
    return POLICY.pop() if POLICY else None


@perdure.workflow
async def asks(patience: float | None) -> str:
    """Waits for a person in the middle."""
    result = await run(agent, "go", ask=ask, approval_timeout=patience, session=PerdureSession("ada"))
    await hold()
    return str(result.final_output)


@perdure.workflow
async def asks_streamed(patience: float | None) -> str:
    """The same, streamed."""
    session = PerdureSession("ada")
    result = run_streamed(agent, "go", ask=ask, approval_timeout=patience, session=session, stream="tokens")
    kinds = [event.item.type async for event in result.stream_events() if event.type == "run_item_stream_event"]
    assert result.is_complete
    assert kinds.count("tool_call_output_item") == 2
    await hold()
    return str(result.final_output)


@perdure.workflow
async def gives_up() -> str:
    """Stops the stream while it waits for a person."""
    result = run_streamed(agent, "go", ask=ask)

    async def stop() -> None:
        await perdure.hook(bool, token=STOP)
        assert not result.is_complete
        result.cancel()

    stopping = asyncio.create_task(stop())
    async for _ in result.stream_events():
        pass
    await stopping
    await hold()
    return f"{len(result.interruptions)} calls were not decided about, complete: {result.is_complete}"


async def until_both_are_asked_for() -> None:
    """The calls, of a person."""
    async with asyncio.timeout(20):
        while len(requests) < 2:  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.01)


async def stop_when_asked() -> None:
    """Nobody's word is waited for any more."""
    await until_both_are_asked_for()
    await resolve_when_open(STOP, True)


async def decide() -> None:
    """Yes to a, no to b."""
    await until_both_are_asked_for()
    first, second = sorted(requests, key=lambda request: request.call_id)
    assert (first.tool, first.agent, json.loads(first.arguments)) == ("delete", "keeper", {"name": "a"})
    with pytest.raises(perdure.HookAnswerError):
        await perdure.resolve(first.token, {"approved": "perhaps"})
    await perdure.resolve(second.token, Approval(approved=False, message="b is needed"))
    await perdure.resolve(first.token, {"approved": True})


@pytest.fixture(autouse=True)
def nobody_was_asked() -> None:
    """Before each test."""
    requests.clear()
    POLICY.clear()


@pytest.mark.parametrize("workflow", [asks, asks_streamed], ids=["whole", "streamed"])
async def test_a_person_decides_about_each_call(tmp_path: Path, workflow: Any) -> None:
    """Once: on replay nobody is asked again, and nothing is deleted again."""
    deciding = asyncio.create_task(decide())
    said = await live_twice(str(tmp_path / "o.db"), workflow, None)
    await deciding
    assert said == "a deleted | b is needed"
    assert ran == {"model": 2, "ask": 2, "delete a": 1}
    assert step_names(tmp_path / "o.db").count("openai_agents.approval:delete") == 2


@pytest.mark.parametrize("workflow", [asks, asks_streamed], ids=["whole", "streamed"])
async def test_a_policy_decides_at_once(tmp_path: Path, workflow: Any) -> None:
    """What `ask` says is recorded."""
    POLICY[:] = [Approval(approved=True), Approval(approved=True)]
    assert await live_twice(str(tmp_path / "o.db"), workflow, None) == "a deleted | b deleted"
    assert ran == {"model": 2, "ask": 2, "delete a": 1, "delete b": 1}


@pytest.mark.parametrize("workflow", [asks, asks_streamed], ids=["whole", "streamed"])
async def test_nobody_decides_in_time(tmp_path: Path, workflow: Any) -> None:
    """The calls are refused, and the model is told."""
    told = "Nobody has approved this call in time."
    assert await live_twice(str(tmp_path / "o.db"), workflow, 0.05) == f"{told} | {told}"


async def test_a_stream_that_waits_for_a_person_can_be_stopped(tmp_path: Path) -> None:
    """Then nothing that was asked for is done, live and on replay."""
    stopping = asyncio.create_task(stop_when_asked())
    said = await live_twice(str(tmp_path / "o.db"), gives_up)
    await stopping
    assert said == "2 calls were not decided about, complete: True"
    assert ran == {"model": 1, "ask": 2}


async def read_through(url: str) -> list[str]:
    """What a live reader sees of a run in which a person decides."""
    async with perdure.running(url, park_after_seconds=0.0, poll_seconds=0.05):
        handle = await perdure.astart(asks_streamed, None)
        read = [event["type"] async for event in handle.stream("tokens", timeout=20)]
        assert await handle == "a deleted | b is needed"
    return read


async def test_who_reads_along_sees_what_comes_after_the_approval(tmp_path: Path) -> None:
    """Of all answers of the model, though the run has left memory while it waited."""
    ran.clear()
    deciding = asyncio.create_task(decide())
    assert await read_through(str(tmp_path / "o.db")) == ["response.completed"] * 2
    await deciding
    assert ran == {"model": 2, "ask": 2, "delete a": 1}


async def test_only_a_workflow_can_wait() -> None:
    """Outside one it is said, and not waited for."""
    with pytest.raises(perdure.UsageError, match="waits for a person by a hook"):
        await run(agent, "go", ask=ask)
    with pytest.raises(perdure.UsageError, match="waits for a person by a hook"):
        _ = [event async for event in run_streamed(agent, "go", ask=ask).stream_events()]
