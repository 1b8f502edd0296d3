"""Pydantic AI: limits of usage count what is recorded once, and pauses of the framework are durable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import hold, live_twice, ran
from tests.generated.looking import STEPS, ask

pytest.importorskip("pydantic_ai")

from pydantic_ai import Agent
from pydantic_ai.exceptions import UsageLimitExceeded
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.usage import RequestUsage, UsageLimits

from perdure.integrations.pydantic_ai import PerdureDurability


async def counts_down(messages: list[Any], info: Any) -> ModelResponse:
    """A model that asks for a tool three times."""
    ran["model"] += 1
    asked = sum(isinstance(message, ModelResponse) for message in messages)
    part = ToolCallPart("double", {"n": asked}) if asked < 3 else TextPart("done")
    return ModelResponse(parts=[part], usage=RequestUsage(input_tokens=100, output_tokens=10))


talkative = Agent(FunctionModel(counts_down), name="talkative", capabilities=[PerdureDurability()])


@talkative.tool_plain
async def double(n: int) -> int:
    ran["double"] += 1
    return 2 * n


@perdure.workflow
async def spends(limits: dict[str, int]) -> list[Any]:
    """What it has used, or where it was stopped."""
    try:
        used = (await talkative.run("go", usage_limits=UsageLimits(**limits))).usage
        said = [used.requests, used.input_tokens, used.output_tokens, used.tool_calls]
    except UsageLimitExceeded as error:
        said = [str(error).partition(" ")[0], *(name for name in limits if name in str(error))]
    await hold()
    return said


@pytest.mark.parametrize(
    ("limits", "said", "requests", "tools"),
    [
        ({"total_tokens_limit": 440}, [4, 400, 40, 3], 4, 3),
        ({"total_tokens_limit": 250}, ["Exceeded", "total_tokens_limit"], 3, 2),
        ({"request_limit": 2}, ["The", "request_limit"], 2, 2),
        ({"tool_calls_limit": 2}, ["The", "tool_calls_limit"], 3, 2),
    ],
)
async def test_usage_counts_once(
    tmp_path: Path, limits: dict[str, int], said: list[Any], requests: int, tools: int
) -> None:
    """What is recorded is spent, and not spent again: limits stop the run at the same request in every life."""
    assert await live_twice(str(tmp_path / "p.db"), spends, limits) == said
    assert (ran["model"], ran["double"]) == (requests, tools)


class Background(FunctionModel):
    """A model whose provider answers in the background."""

    def continuation_delay(self, response: ModelResponse) -> float:
        """Between two looks."""
        return 0.05


async def answers_later(messages: list[Any], info: Any) -> ModelResponse:
    """It is asked three times before it has the answer."""
    ran["model"] += 1
    state: Any = "suspended" if ran["model"] < 3 else "complete"
    return ModelResponse(parts=[TextPart("done")], state=state, provider_response_id="job", provider_name="function")


patient = Agent(Background(answers_later), name="patient", capabilities=[PerdureDurability()])


@perdure.workflow
async def waits_for_the_provider() -> str:
    said = (await patient.run("go")).output
    await hold()
    return said


async def test_pauses_of_the_framework_are_durable(tmp_path: Path) -> None:
    """Between two looks at an answer; a replay neither waits nor looks again."""
    assert await live_twice(str(tmp_path / "p.db"), waits_for_the_provider) == "done"
    assert ran["model"] == 3
    rows = ask(str(tmp_path / "p.db"), STEPS.replace("outcome", "name"))
    assert [kind for _, _, kind, _ in rows].count("sleep") == 2
