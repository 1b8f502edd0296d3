"""Pydantic AI: approvals, questions and external events are hooks of the workflow."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.agents.replays import hold, live_twice, ran, step_names

pytest.importorskip("pydantic_ai")

from pydantic_ai import Agent
from pydantic_ai.capabilities import RequestInput
from pydantic_ai.external_events import ExternalEventError, wait_for_external_event
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.tools import DeferredToolResults, ToolDenied
from pydantic_ai.toolsets import FunctionToolset

from perdure.integrations.pydantic_ai import PerdureDurability

tokens: list[str] = []
DECISIONS: list[DeferredToolResults | None] = []
"""What is decided at once; None: by somebody else."""


async def answers(messages: list[Any], info: Any) -> ModelResponse:
    """A model: wants to delete something, then says what came back."""
    ran["model"] += 1
    if len(messages) == 1:
        return ModelResponse(parts=[ToolCallPart("delete", {"name": "report"}, tool_call_id="c1")])
    return ModelResponse(parts=[TextPart(" ".join(str(part.content) for part in messages[-1].parts))])


tools = FunctionToolset[None](id="own")


@tools.tool_plain(requires_approval=True)
async def delete(name: str) -> str:
    """Deletes it."""
    ran["delete"] += 1
    return f"{name} deleted"


async def ask(context: Any, requests: Any, token: str) -> DeferredToolResults | None:
    """Hands the token to a person."""
    ran["ask"] += 1
    tokens.append(token)
    return DECISIONS.pop() if DECISIONS else None


def agent_of(name: str, /, **settings: Any) -> Any:
    """An agent that asks before it deletes."""
    capabilities = [PerdureDurability(), RequestInput(ask, **settings)]
    return Agent(FunctionModel(answers), name=name, toolsets=[tools], capabilities=capabilities)


AGENTS = {
    "asking": agent_of("asking"),
    "hasty": agent_of("hasty", timeout=timedelta(seconds=0.05)),
    "named": agent_of("named", name="approve_deletion"),
}


@perdure.workflow
async def asks(name: str) -> str:
    """Waits for a person in the middle."""
    said = str((await AGENTS[name].run("go")).output)
    await hold()
    return said


UNFIT = {
    "$.approvals.c1": {"approvals": {"c1": "perhaps"}},
    "$.approvals.c2 is not expected": {"approvals": {"c1": True, "c2": True}},
    "$.approvals has no 'c1'": {"approvals": {}},
    "$ has no 'approvals'": {"calls": {}},
    "$.calls.c1 is not expected": {"approvals": {"c1": True}, "calls": {"c1": "done"}},
}
"""By what is said of it: none of these is a decision about the one call that waits."""


async def answer(decide: Any) -> None:
    """Somebody decides, as soon as he is asked; not at the first attempt."""
    async with asyncio.timeout(20):
        while not tokens:  # noqa: ASYNC110  # nobody signals it
            await asyncio.sleep(0.01)
    for said, unfit in UNFIT.items():
        with pytest.raises(perdure.HookAnswerError, match=re.escape(said)):
            await perdure.resolve(tokens[0], unfit)
    await decide(tokens[0])


@pytest.mark.parametrize(
    ("decide", "told", "deleted"),
    [
        (lambda token: perdure.resolve(token, {"approvals": {"c1": True}}), "report deleted", 1),
        (lambda token: perdure.resolve(token, DeferredToolResults(approvals={"c1": ToolDenied("no!")})), "no!", 0),
        (lambda token: perdure.reject(token, "on holiday"), "No decision on this tool call arrived: on holiday", 0),
    ],
    ids=["approved", "denied", "rejected"],
)
async def test_a_person_decides_about_a_tool(tmp_path: Path, decide: Any, told: str, deleted: int) -> None:
    """Once, whatever happens to the process: nobody is asked again on replay."""
    tokens.clear()
    DECISIONS.clear()
    deciding = asyncio.create_task(answer(decide))
    said = await live_twice(str(tmp_path / "p.db"), asks, "asking")
    await deciding
    assert said == told
    assert (ran["model"], ran["ask"], ran["delete"]) == (2, 1, deleted)
    assert "asking__external_event.deferred_tool_calls.ask" in step_names(tmp_path / "p.db")


async def test_a_wait_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Its step is called by it; what an answer must be is the same."""
    tokens.clear()
    DECISIONS.clear()
    deciding = asyncio.create_task(answer(lambda token: perdure.resolve(token, {"approvals": {"c1": True}})))
    said = await live_twice(str(tmp_path / "p.db"), asks, "named")
    await deciding
    assert said == "report deleted"
    assert "named__external_event.approve_deletion.ask" in step_names(tmp_path / "p.db")


async def test_a_policy_decides_at_once(tmp_path: Path) -> None:
    """What `ask` says is recorded, and the hook is over."""
    tokens.clear()
    DECISIONS[:] = [DeferredToolResults(approvals={"c1": True})]
    assert await live_twice(str(tmp_path / "p.db"), asks, "asking") == "report deleted"
    assert (ran["ask"], ran["delete"]) == (1, 1)


async def test_nobody_decides_in_time(tmp_path: Path) -> None:
    """The model is told so, and the hook takes no answer any more."""
    tokens.clear()
    DECISIONS.clear()
    said = await live_twice(str(tmp_path / "p.db"), asks, "hasty")
    assert "No resolution arrived within 0:00:00.05" in said
    assert ran["delete"] == 0


waiting = Agent(FunctionModel(answers), name="waiting", capabilities=[PerdureDurability(event_types={"size": int})])


@perdure.workflow
async def waits() -> str:
    """An event of the program's own."""

    async def hand_out(token: str) -> None:
        tokens.append(token)

    async def inside(context: Any, handler: Any) -> Any:
        return await handler()

    try:
        return str(await durable_wait(hand_out))
    except ExternalEventError as error:
        return str(error)


async def durable_wait(hand_out: Any) -> Any:
    """As the framework calls it within an agent's run."""
    from pydantic_ai.durable_exec import external_event_scope

    from perdure.integrations._pydantic_events import HookWaiter

    with external_event_scope(HookWaiter("waiting", {"size": int})):
        return await wait_for_external_event("size", ask=hand_out)


async def test_an_event_of_ones_own_has_a_type(tmp_path: Path) -> None:
    """By its name; what does not fit is refused where it is given."""
    tokens.clear()
    async with perdure.running(str(tmp_path / "p.db")):
        handle = await perdure.astart(waits)
        async with asyncio.timeout(20):
            while not tokens:  # noqa: ASYNC110  # as above
                await asyncio.sleep(0.01)
        with pytest.raises(perdure.HookAnswerError):
            await perdure.resolve(tokens[0], "large")
        await perdure.resolve(tokens[0], 7)
        assert await handle == "7"
