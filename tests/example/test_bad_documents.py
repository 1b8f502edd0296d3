"""Documents and databases that cannot be used get an error that says what to do, and stop nothing else."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from functools import partial

import pytest
from pydantic import HttpUrl
from reportlab.pdfgen.canvas import Canvas

from examples.document_indexing.filings import first_filings, render
from examples.document_indexing.index import DocumentIndex, document_index
from examples.document_indexing.plain import app as plain
from tests.example.pages import asked


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server with one sound filing and several bad files; its URL."""
    folder = tmp_path_factory.mktemp("files")
    sound = render(first_filings(1)[0])
    (folder / "sound.pdf").write_bytes(sound)
    (folder / "page.pdf").write_text("<!DOCTYPE html><title>Please log in</title>")
    (folder / "broken.pdf").write_bytes(sound[:300])
    Canvas(str(folder / "blank.pdf")).save()
    secret = Canvas(str(folder / "secret.pdf"), encrypt="password")
    secret.drawString(100, 100, "secret")
    secret.save()
    handler = type("Quiet", (http.server.SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "reason", "mend"),
    [
        ("missing.pdf", "answered 404", "check the URL"),
        ("page.pdf", "is no PDF", "post the URL of the PDF file itself"),
        ("broken.pdf", "cannot be read", "post a sound, open copy"),
        ("secret.pdf", "cannot be read", "post a sound, open copy"),
        ("blank.pdf", "has no text", "OCR"),
    ],
)
def test_a_bad_document_is_reported_and_the_others_are_indexed(
    index: DocumentIndex, files: str, name: str, reason: str, mend: str
) -> None:
    """The failure names the URL, what is wrong and what to do."""
    bad = f"{files}/{name}"
    assert plain.index_documents([HttpUrl(bad), HttpUrl(f"{files}/sound.pdf")]) == 5
    report = index.report()
    assert report["indexed"] == 1
    assert isinstance(report["failed"], dict)
    (message,) = report["failed"].values()
    assert bad in message
    assert reason in message
    assert mend in message


@pytest.mark.parametrize("name", ["missing.pdf", "page.pdf", "broken.pdf", "sound.pdf"])
def test_a_password_in_a_url_reaches_no_report_log_or_answer(
    index: DocumentIndex, files: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is used for the download, and nowhere else."""
    plain.index_documents([HttpUrl(files.replace("http://", "http://me:hunter2@") + f"/{name}")])
    answer = index.ask("What was Apple's earnings per share in 2021?")
    assert "hunter2" not in f"{index.report()} {caplog.text} {answer}"


def test_a_failed_document_that_is_mended_is_no_longer_reported(index: DocumentIndex, files: str) -> None:
    """The report is about now."""
    url = HttpUrl(f"{files}/sound.pdf")
    index.say_failed(str(url), "answered 404")
    plain.index_documents([url])
    assert index.report() == {"indexed": 1, "chunks": 5, "failed": {}}


def test_posting_answers_204_and_nonsense_422(index: DocumentIndex) -> None:
    """What is no URL is refused before anything is done."""
    assert asked("POST", "/index", {"urls": []}).status_code == 204
    assert asked("POST", "/index", {"urls": ["no url"]}).status_code == 422


@pytest.mark.parametrize("field", ["message", "question"])
def test_chat_takes_a_message_or_a_question(index: DocumentIndex, files: str, field: str) -> None:
    """Both names mean the same."""
    plain.index_documents([HttpUrl(f"{files}/sound.pdf")])
    reply = asked("POST", "/chat", {field: "What was Apple's earnings per share in 2021?"})
    assert "5.67" in reply.json()["answer"]


def test_a_database_that_is_not_there_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is 503, says what to do, and keeps the secret."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:hunter2@127.0.0.1:1/nowhere")
    document_index.cache_clear()
    reply = asked("POST", "/chat", {"message": "Anything?"})
    document_index.cache_clear()
    assert reply.status_code == 503
    assert "set DATABASE_URL" in reply.text
    assert "hunter2" not in reply.text
