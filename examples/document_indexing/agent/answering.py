"""The agent: a LlamaIndex `FunctionAgent`, unmodified, in a workflow. What it calls of the world outside is a step."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from llama_index.core.agent.workflow import FunctionAgent

from examples.document_indexing.agent.models import agent_model
from examples.document_indexing.index import document_index
from examples.document_indexing.models import models
from perdure import HookRejectedError, WaitTimeoutError, hook, step, workflow

logger = logging.getLogger(__name__)

WEEK_SECONDS = 7 * 24 * 3600
ROLE = (
    "You answer questions from an index of documents, by the tool `search`, and name the source. `list_documents` says "
    "what is indexed. `delete_document` deletes a document; a person is asked first, and the answer may be no."
)


@dataclass
class Approval:
    """What a person says."""

    approved: bool
    note: str = ""


@workflow(name="document_indexing.agent")
async def answer_message(message: str) -> str:
    """What the agent answers; it may take as long as a person does."""
    models()  # LlamaIndex's settings: nothing is fetched
    agent = FunctionAgent(
        tools=[search, list_documents, delete_document],
        llm=agent_model(),
        system_prompt=ROLE,
        streaming=False,
        timeout=None,
    )
    return str(await agent.run(user_msg=message))


async def search(question: str) -> str:
    """Answer a question from the indexed documents."""
    return await look_up(question)


async def list_documents() -> str:
    """Say how many documents are indexed, and which failed."""
    return str(await read_report())


async def delete_document(url: str) -> str:
    """Delete the document that was indexed under this URL; a person is asked first."""
    question = f"Delete {url} from the index?"
    asked = hook(Approval, question=question, timeout=WEEK_SECONDS)
    await tell_people(question, asked.token)
    try:
        answer = await asked
    except WaitTimeoutError:
        return f"{url} was not deleted: nobody answered within a week."
    except HookRejectedError as error:
        return f"{url} was not deleted: {error}"
    if not answer.approved:
        return f"{url} was not deleted: {answer.note or 'somebody said no'}"
    return f"{url} is deleted: {await remove(url)} chunks."


@step(name="document_indexing.agent.look_up")
async def look_up(question: str) -> str:
    """Ask the index."""
    return await asyncio.to_thread(document_index().ask, question)


@step(name="document_indexing.agent.report")
async def read_report() -> dict[str, object]:
    """What is indexed."""
    return await asyncio.to_thread(document_index().report)


@step(name="document_indexing.agent.remove")
async def remove(url: str) -> int:
    """Delete the document; twice is as good as once."""
    return await asyncio.to_thread(document_index().remove, url)


@step(name="document_indexing.agent.tell_people")
async def tell_people(question: str, token: str) -> None:
    """Here a message would go to whoever may decide, with a link; `GET /approvals` lists what waits."""
    logger.warning("Somebody is asked: %s", question)
