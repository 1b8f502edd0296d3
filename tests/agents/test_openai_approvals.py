"""OpenAI Agents SDK: a tool that needs approval waits for a person, by a hook, through the death of the process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import hold, live_twice, ran, step_names

pytest.importorskip("agents")

from agents import Agent, Model, ModelResponse, Usage, function_tool, set_tracing_disabled
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from perdure.integrations.openai_agents import Approval, ApprovalRequest, PerdureSession, run

set_tracing_disabled(True)
requests: list[ApprovalRequest] = []
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

    def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


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


async def decide() -> None:
    """Yes to a, no to b."""
    async with asyncio.timeout(20):
        while len(requests) < 2:  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.01)
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


async def test_a_person_decides_about_each_call(tmp_path: Path) -> None:
    """Once: on replay nobody is asked again, and nothing is deleted again."""
    deciding = asyncio.create_task(decide())
    said = await live_twice(str(tmp_path / "o.db"), asks, None)
    await deciding
    assert said == "a deleted | b is needed"
    assert ran == {"model": 2, "ask": 2, "delete a": 1}
    assert step_names(tmp_path / "o.db").count("openai_agents.approval:delete") == 2


async def test_a_policy_decides_at_once(tmp_path: Path) -> None:
    """What `ask` says is recorded."""
    POLICY[:] = [Approval(approved=True), Approval(approved=True)]
    assert await live_twice(str(tmp_path / "o.db"), asks, None) == "a deleted | b deleted"
    assert ran == {"model": 2, "ask": 2, "delete a": 1, "delete b": 1}


async def test_nobody_decides_in_time(tmp_path: Path) -> None:
    """The calls are refused, and the model is told."""
    told = "Nobody has approved this call in time."
    assert await live_twice(str(tmp_path / "o.db"), asks, 0.05) == f"{told} | {told}"


async def test_only_a_workflow_can_wait() -> None:
    """Outside one it is said, and not waited for."""
    with pytest.raises(perdure.UsageError, match="waits for a person by a hook"):
        await run(agent, "go", ask=ask)
