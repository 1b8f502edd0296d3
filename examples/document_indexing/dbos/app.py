"""A document-indexing service: post the URLs of PDF files, then ask questions about what is in them.

POST /index {"urls": [...]} answers at once and indexes in the background; POST /chat {"message": ...} answers from
what is indexed; GET /documents tells how much that is, and which documents failed and why.
"""

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import httpx
from dbos import DBOS
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from llama_index.core.schema import Document
from llama_index.readers.file import PDFReader
from pydantic import AliasChoices, BaseModel, Field, HttpUrl
from tenacity import RetryError

from examples.document_indexing.index import DocumentError, IndexUnavailableError, document_index, public

MOST_BYTES = 100_000_000
"""The largest file that is downloaded."""

logger = logging.getLogger(__name__)
app = FastAPI()
DBOS(config={"name": "document-indexing", "system_database_url": os.environ.get("DBOS_SYSTEM_DATABASE_URL")})
client = httpx.Client(timeout=60, follow_redirects=True)


class URLList(BaseModel):
    """The body of POST /index."""

    urls: list[HttpUrl]


class Question(BaseModel):
    """The body of POST /chat; `question` is another name for `message`."""

    message: str = Field(validation_alias=AliasChoices("message", "question"), min_length=1)


@DBOS.workflow()
def index_documents(urls: list[HttpUrl]) -> int:
    """Index every document and return the number of pages; one that cannot be indexed does not stop the others."""
    futures = []
    for url in urls:
        futures.append(DBOS.enqueue_workflow("indexing", index_document, url))
    return sum(pages_of(future.get_result) for future in futures)


@DBOS.step()
def index_document(url: HttpUrl) -> int:
    """Index one document, in place of what was indexed under its URL, and return the number of its pages."""
    try:
        return document_index().replace(public(url), read_pages(url, download(url)))
    except DocumentError as error:
        document_index().say_failed(public(url), str(error))
        raise


def pages_of(result: Callable[[], int]) -> int:
    """The document's number of pages; none, and a line in the log, if it could not be indexed."""
    try:
        return result()
    except DocumentError as error:
        logger.warning("Not indexed: %s", error)
    except Exception:
        logger.exception("Not indexed, for a reason that is not the document's")
    return 0


def download(url: HttpUrl) -> bytes:
    """The file behind the URL."""
    try:
        with client.stream("GET", str(url)) as response:
            if response.status_code != 200:
                raise DocumentError(f"{public(url)} answered {response.status_code}: check the URL, then post it again")
            content = bytearray()
            for part in response.iter_bytes():
                content += part
                if len(content) > MOST_BYTES:
                    raise DocumentError(
                        f"{public(url)} is larger than {MOST_BYTES:,} bytes: split it, then post the parts"
                    )
            return bytes(content)
    except httpx.HTTPError as error:
        raise DocumentError(f"{public(url)} cannot be downloaded ({error}): check it, then post it again") from error


def read_pages(url: HttpUrl, content: bytes) -> list[Document]:
    """The pages of a PDF, with their text."""
    if b"%PDF-" not in content[:1024]:
        raise DocumentError(
            f"{public(url)} is no PDF: it starts with {content[:12]!r}; post the URL of the PDF file itself"
        )
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, PurePosixPath(url.path or "").name or "document.pdf")
        file.write_bytes(content)
        try:
            return PDFReader().load_data(file)
        except RetryError as error:
            reason = error.last_attempt.exception()
            raise DocumentError(
                f"{public(url)} is a PDF that cannot be read ({reason}): post a sound, open copy"
            ) from reason


@app.post("/index", status_code=204)
def index_endpoint(urls: URLList) -> None:
    """Index documents in the background."""
    DBOS.start_workflow(index_documents, urls.urls)


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


DBOS.launch()
DBOS.register_queue("indexing", worker_concurrency=min(32, (os.cpu_count() or 1) + 4), polling_interval_sec=0.1)
