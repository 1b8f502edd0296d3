"""The durable service, and beside it an agent: POST /agent {"message": ...} is answered with a run's id, GET
/agent/ID with what it has answered; GET /approvals lists what people are asked, POST /approvals/TOKEN answers.

Who may delete documents is not asked here: put these endpoints behind your own login.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException
from pydantic import BaseModel, Field

from examples.document_indexing.agent.answering import answer_message
from examples.document_indexing.durable.app import app as app
from perdure import RunNotFoundError, handle, runs, start
from perdure.integrations.hooks import HooksApp

WORKFLOW = "document_indexing.agent"


class Message(BaseModel):
    """The body of POST /agent."""

    message: Annotated[str, Field(min_length=1)]


@app.post("/agent", status_code=202)
def agent_endpoint(message: Message) -> dict[str, str]:
    """Begin to answer; a client that hangs up, or a server that is killed, changes nothing."""
    return {"id": start(answer_message, message.message).run_id}


@app.get("/agent/{run_id}")
def answer_endpoint(run_id: str) -> dict[str, str | None]:
    """The state of the run, and its answer."""
    try:
        details = runs.get(run_id)
    except RunNotFoundError:
        raise HTTPException(404, "There is no such run of the agent.") from None
    if details.run.name != WORKFLOW:
        raise HTTPException(404, "There is no such run of the agent.")
    answer = handle(run_id).result() if details.run.status == "succeeded" else None
    return {"state": details.run.status, "answer": answer}


@app.get("/approvals")
def approvals_endpoint() -> list[dict[str, str | None]]:
    """What people are asked, the oldest first."""
    return [{"token": hook.token, "question": hook.question, "run": hook.run_id} for hook in runs.hooks()]


app.mount("/approvals", HooksApp())
