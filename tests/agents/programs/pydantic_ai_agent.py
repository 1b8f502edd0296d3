"""Pydantic AI: four tools at once, then an answer."""

from __future__ import annotations

from typing import Any

from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

import perdure
from perdure.integrations.pydantic_ai import PerdureDurability
from tests.agents.programs.shop import QUESTION as QUESTION
from tests.agents.programs.shop import price_of, said, wanted


async def answer(messages: list[Any], info: Any) -> ModelResponse:
    """The model: asks for all prices, then adds them up."""
    await said(len(messages))
    if len(messages) == 1:
        return ModelResponse(parts=[ToolCallPart("price", {"item": item}) for item in wanted(QUESTION)])
    return ModelResponse(parts=[TextPart(f"together {sum(part.content for part in messages[-1].parts)}")])


agent = Agent(FunctionModel(answer), name="shop", capabilities=[PerdureDurability()])


@agent.tool_plain
async def price(item: str) -> int:
    """What an item costs."""
    return await price_of(item)


@perdure.workflow
async def ask(question: str) -> str:
    return (await agent.run(question)).output
