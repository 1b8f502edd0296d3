"""What the example's tests make of filings: their pages as the services read them, without a download.

And how they ask the plain service, without a network.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import httpx
import psycopg
from llama_index.core.schema import Document
from llama_index.readers.file import PDFReader

from examples.document_indexing.filings import Filing, render
from examples.document_indexing.plain import app as plain

COUNT_CHUNKS = "SELECT count(*), count(DISTINCT node_id) FROM data_chunks_local"


def pages_of(filing: Filing) -> list[Document]:
    """The filing's pages, through PDF and back."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, filing.path)
        file.write_bytes(render(filing))
        return PDFReader().load_data(file)


def url_of(filing: Filing) -> str:
    """Where the filing would be served."""
    return f"http://filings.example/{filing.path}"


def chunk_counts(database_url: str) -> tuple[int, int]:
    """How many chunks the index holds, and how many different ids they have."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(COUNT_CHUNKS).fetchone()
        assert row is not None
        return row[0], row[1]


def asked(method: str, path: str, body: object = None) -> httpx.Response:
    """What the plain service answers."""

    async def answer() -> httpx.Response:
        transport = httpx.ASGITransport(plain.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service.example") as client:
            return await client.request(method, path, json=body)

    return asyncio.run(answer())
