"""Google ADK: four function tools at once, then an answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.models import BaseLlm, LlmResponse
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.genai import types

import perdure
from perdure.integrations.google_adk import PerdurePlugin
from tests.agents.programs.shop import QUESTION as QUESTION
from tests.agents.programs.shop import price_of, said, wanted


class Answers(BaseLlm):
    """The model: asks for all prices, then adds them up."""

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncGenerator[LlmResponse, None]:
        parts = [part for content in llm_request.contents for part in content.parts]
        found = [part.function_response.response["result"] for part in parts if part.function_response]
        await said(2 if found else 1)
        answer = [
            types.Part(function_call=types.FunctionCall(name="price", args={"item": i})) for i in wanted(QUESTION)
        ]
        if found:
            answer = [types.Part(text=f"together {sum(found)}")]
        yield LlmResponse(content=types.Content(role="model", parts=answer))


async def price(item: str) -> int:
    """What an item costs."""
    return await price_of(item)


agent = LlmAgent(name="shop", model=Answers(model="answers"), tools=[price])


@perdure.workflow
async def ask(question: str) -> str:
    sessions = InMemorySessionService()
    runner = Runner(app_name="shop", agent=agent, session_service=sessions, plugins=[PerdurePlugin()])
    session = await sessions.create_session(app_name="shop", user_id="ada")
    message = types.Content(role="user", parts=[types.Part(text=question)])
    text = ""
    async for event in runner.run_async(user_id="ada", session_id=session.id, new_message=message):
        if event.is_final_response():
            text = event.content.parts[0].text
    return text
