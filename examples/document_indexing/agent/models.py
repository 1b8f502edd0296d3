"""The agent's model, by LlamaIndex's interface for models that call tools: OpenAI's, or a small local one.

`DurableModel` makes each request to a model a step, whatever the model.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, LLMMetadata, MessageRole
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection

from perdure import call

URL = re.compile(r"https?://[^\s,;\"'<>]*[^\s,;\"'<>.?!]")


def agent_model() -> FunctionCallingLLM:
    """The model that this process uses, each request of it a step."""
    if os.environ.get("OPENAI_API_KEY"):
        from llama_index.llms.openai import OpenAI

        return DurableModel(inner=OpenAI(model="gpt-4o-mini"))
    return DurableModel(inner=LocalModel())


class OnlyChat(FunctionCallingLLM):
    """A model that is asked by `achat` alone, as the agent does."""

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        """Not asked for."""
        raise NotImplementedError

    stream_chat = astream_chat = complete = acomplete = stream_complete = astream_complete = chat  # type: ignore[assignment]


class LocalModel(OnlyChat):
    """A language model without a trained model: asked to delete it calls `delete_document`, asked what is indexed
    `list_documents`, else `search`; then it says what the tool has said.
    """

    @property
    def metadata(self) -> LLMMetadata:
        """Room for everything; it calls tools."""
        return LLMMetadata(
            context_window=1_000_000, num_output=1_000, model_name="local agent", is_function_calling_model=True
        )

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer the conversation."""
        last = messages[-1]
        if last.role != MessageRole.USER:
            return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=last.content))
        said = last.content or ""
        calls = [{"id": f"call {place}", **chosen} for place, chosen in enumerate(choose(said))]
        message = ChatMessage(role=MessageRole.ASSISTANT, content="", additional_kwargs={"tool_calls": calls})
        return ChatResponse(message=message)

    def _prepare_chat_with_tools(
        self, tools: Sequence[Any], user_msg: Any = None, chat_history: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        messages = list(chat_history or [])
        if user_msg is not None:
            messages.append(user_msg if isinstance(user_msg, ChatMessage) else ChatMessage(content=user_msg))
        return {"messages": messages}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> list[ToolSelection]:
        """What it has asked for."""
        calls = response.message.additional_kwargs.get("tool_calls", [])
        return [ToolSelection(tool_id=one["id"], tool_name=one["name"], tool_kwargs=one["arguments"]) for one in calls]


def choose(said: str) -> list[dict[str, Any]]:
    """The tools that what was said asks for."""
    urls = URL.findall(said)
    if urls and re.search(r"(?i)\b(?:delete|remove|forget)\b", said):
        return [{"name": "delete_document", "arguments": {"url": url}} for url in dict.fromkeys(urls)]
    if re.search(r"(?i)\b(?:which|what|how many|list)\b.*\bdocuments\b", said):
        return [{"name": "list_documents", "arguments": {}}]
    return [{"name": "search", "arguments": {"question": said}}]


class DurableModel(OnlyChat):
    """A model of which each request is a step: what it has said once is not asked for again."""

    inner: FunctionCallingLLM

    @property
    def metadata(self) -> LLMMetadata:
        """The model's own."""
        return self.inner.metadata

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Ask it, or be handed what it has said."""

        async def ask() -> dict[str, Any]:
            response = await self.inner.achat(messages, **kwargs)
            return response.model_dump(mode="json", exclude={"raw"})

        return ChatResponse.model_validate(await call("document_indexing.agent.model", ask, retries=3))

    def _prepare_chat_with_tools(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return self.inner._prepare_chat_with_tools(*args, **kwargs)

    def get_tool_calls_from_response(self, *args: Any, **kwargs: Any) -> list[ToolSelection]:
        """As the model has it."""
        return self.inner.get_tool_calls_from_response(*args, **kwargs)
