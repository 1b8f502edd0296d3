"""The activity: what Temporal runs at least once, tries again, and records the outcome of."""

import tempfile
from pathlib import Path, PurePosixPath

import httpx
from llama_index.core.schema import Document
from llama_index.readers.file import PDFReader
from pydantic import HttpUrl
from temporalio import activity
from tenacity import RetryError

from examples.document_indexing.index import DocumentError, document_index, public

MOST_BYTES = 100_000_000
"""The largest file that is downloaded."""

client = httpx.Client(timeout=60, follow_redirects=True)


@activity.defn
def index_document(url: HttpUrl) -> int:
    """Index one document, in place of what was indexed under its URL, and return the number of its pages."""
    try:
        return document_index().replace(public(url), read_pages(url, download(url)))
    except DocumentError as error:
        document_index().say_failed(public(url), str(error))
        raise


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
