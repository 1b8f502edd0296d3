"""Nothing is fetched at run time."""

from __future__ import annotations

import subprocess
import sys

from examples.document_indexing.processes import environment

OFFLINE = """
import sys

def guard(event, arguments):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and isinstance(arguments[1], tuple)):
        raise RuntimeError(f"reached for the network: {event} {arguments}")

sys.addaudithook(guard)
from examples.document_indexing.filings import first_filings, render
from examples.document_indexing.index import DocumentIndex
from examples.document_indexing.plain import app
from pydantic import HttpUrl

index = DocumentIndex(sys.argv[1])
url = HttpUrl("http://filings.example/apple.pdf")
index.replace(str(url), app.read_pages(url, render(first_filings(1)[0])))
print(index.ask("What was Apple's earnings per share in 2021?"))
"""


def test_indexing_and_asking_open_no_connection_but_the_database(database_url: str) -> None:
    """No tokenizer, no word list, no model is downloaded: every other connection would raise."""
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE, database_url], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "5.67" in done.stdout
