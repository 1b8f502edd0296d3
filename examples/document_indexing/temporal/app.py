"""A document-indexing service: post the URLs of PDF files, then ask questions about what is in them.

POST /index {"urls": [...]} answers at once and indexes in the background; POST /chat {"message": ...} answers from
what is indexed; GET /documents tells how much that is, and which documents failed and why.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import AliasChoices, BaseModel, Field, HttpUrl
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from examples.document_indexing.index import IndexUnavailableError, document_index
from examples.document_indexing.temporal.workflows import TASK_QUEUE, IndexDocuments


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect to Temporal's server."""
    app.state.temporal = await Client.connect(
        os.environ.get("TEMPORAL_ADDRESS", "localhost:7233"), data_converter=pydantic_data_converter
    )
    yield


app = FastAPI(lifespan=lifespan)


class URLList(BaseModel):
    """The body of POST /index."""

    urls: list[HttpUrl]


class Question(BaseModel):
    """The body of POST /chat; `question` is another name for `message`."""

    message: str = Field(validation_alias=AliasChoices("message", "question"), min_length=1)


@app.post("/index", status_code=204)
async def index_endpoint(urls: URLList) -> None:
    """Index documents in the background."""
    await app.state.temporal.start_workflow(IndexDocuments.run, urls.urls, id=f"index-{uuid4()}", task_queue=TASK_QUEUE)


@app.post("/chat")
def chat_endpoint(question: Question) -> dict[str, str]:
    """Answer a question from the indexed documents."""
    return {"answer": document_index().ask(question.message)}


@app.get("/documents")
def documents_endpoint() -> dict[str, object]:
    """What is indexed, and what failed."""
    return document_index().report()


@app.exception_handler(IndexUnavailableError)
def index_unavailable(request: Request, error: IndexUnavailableError) -> JSONResponse:
    """Say what to do about a database that is not there."""
    return JSONResponse({"detail": str(error)}, status_code=503)
