"""Strands: four tools at once, then an answer."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from strands import Agent, tool
from strands.models import Model

import perdure
from perdure.integrations.strands import PerdurePlugin
from tests.agents.programs.shop import QUESTION as QUESTION
from tests.agents.programs.shop import price_of, said, wanted


class Answers(Model):
    """The model: asks for all prices, then adds them up."""

    def update_config(self, **model_config: Any) -> None:
        """It has none."""

    def get_config(self) -> dict[str, Any]:
        return {}

    def structured_output(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def stream(self, messages: Any, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        await said(len(messages))
        found = [part["toolResult"] for part in messages[-1]["content"] if "toolResult" in part]
        yield {"messageStart": {"role": "assistant"}}
        if found:
            total = sum(int(result["content"][0]["text"]) for result in found)
            yield {"contentBlockDelta": {"delta": {"text": f"together {total}"}}}
            yield {"contentBlockStop": {}}
        else:
            for item in wanted(QUESTION):
                yield {"contentBlockStart": {"start": {"toolUse": {"name": "price", "toolUseId": item}}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps({"item": item})}}}}
                yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "end_turn" if found else "tool_use"}}


@tool
async def price(item: str) -> str:
    """What an item costs.

    Args:
        item: The item.
    """
    return str(await price_of(item))


@perdure.workflow
async def ask(question: str) -> str:
    agent = Agent(model=Answers(), tools=[price], plugins=[PerdurePlugin()], callback_handler=None)
    return str(await agent.invoke_async(question)).strip()
