"""The agent of the document-indexing service: asked to delete a document it asks a person, who says yes at once."""

from __future__ import annotations

from typing import Any

import perdure
from examples.document_indexing.agent import answering, models
from tests.agents.ledger import note

URL = "http://filings.example/apple-inc-2021.pdf"
QUESTION = f"Please delete {URL}."


class NotedIndex:
    """In the place of the index: what is done to it is counted outside."""

    def remove(self, url: str) -> int:
        """Forget a document."""
        note(f"remove {url}")
        return 7


@perdure.step(name="tests.person")
async def person(question: str, token: str) -> None:
    """Is asked, and says yes."""
    note(f"person {question}")
    await perdure.resolve(token, {"approved": True}, key=perdure.idempotency_key())


class NotedModel(models.LocalModel):
    """The local model; each request is counted outside."""

    async def achat(self, messages: Any, **kwargs: Any) -> Any:
        """Answer the conversation."""
        note(f"model {len(messages)}")
        return await super().achat(messages, **kwargs)


answering.document_index = NotedIndex  # type: ignore[assignment]  # what the agent needs of it
answering.tell_people = person
answering.agent_model = lambda: models.DurableModel(inner=NotedModel())
ask = answering.answer_message
