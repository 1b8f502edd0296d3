"""OpenAI Agents SDK: four function tools at once, then an answer."""

from __future__ import annotations

import json
from typing import Any

from agents import Agent, Model, ModelResponse, Usage, function_tool, set_tracing_disabled
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

import perdure
from perdure.integrations.openai_agents import run
from tests.agents.programs.shop import QUESTION as QUESTION
from tests.agents.programs.shop import price_of, said, wanted

set_tracing_disabled(True)


def message(text: str) -> ResponseOutputMessage:
    """What the model says."""
    part = ResponseOutputText(text=text, type="output_text", annotations=[])
    return ResponseOutputMessage(id="m", content=[part], role="assistant", status="completed", type="message")


class Answers(Model):
    """The model: asks for all prices, then adds them up."""

    async def get_response(self, system_instructions: Any, input: Any, *args: Any, **kwargs: Any) -> ModelResponse:
        if isinstance(input, str) or len(input) == 1:
            await said(1)
            output: list[Any] = [
                ResponseFunctionToolCall(
                    call_id=item, name="price", arguments=json.dumps({"item": item}), type="function_call"
                )
                for item in wanted(QUESTION)
            ]
        else:
            await said(2)
            prices = [int(item["output"]) for item in input if item.get("type") == "function_call_output"]
            output = [message(f"together {sum(prices)}")]
        return ModelResponse(output=output, usage=Usage(requests=1), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError


@function_tool
async def price(item: str) -> str:
    """What an item costs."""
    return str(await price_of(item))


agent = Agent(name="shop", model=Answers(), tools=[price])


@perdure.workflow
async def ask(question: str) -> str:
    return str((await run(agent, question)).final_output)
