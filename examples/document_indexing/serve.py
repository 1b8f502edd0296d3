"""What the services need around them: a file server that renders the filings, and a Postgres.

`python -m examples.document_indexing.serve` starts both for trying the services by hand. The demo runs the file server
alone, as a process of its own: it counts every download of every path, which makes it a ledger that no service can
fake.
"""

from __future__ import annotations

import argparse
import http.server
import json
import os
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from examples.document_indexing.filings import Filing, filings_by_path, render

LEDGER = "/ledger"


class FilingServer(http.server.ThreadingHTTPServer):
    """Serves every filing as a PDF, rendered when first asked for and kept in a directory; 404 for anything else."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, directory: Path) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.filings = filings_by_path()
        self._lock = threading.Lock()
        self._downloads: Counter[str] = Counter()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def count(self, path: str) -> None:
        """Note one download of a path."""
        with self._lock:
            self._downloads[path] += 1

    def ledger(self) -> dict[str, int]:
        """How often each path was downloaded since the last `forget`."""
        with self._lock:
            return dict(self._downloads)

    def forget(self) -> None:
        """Begin a new ledger."""
        with self._lock:
            self._downloads.clear()

    def pdf(self, filing: Filing) -> bytes:
        """The filing as a PDF, from the directory if it has been asked for before."""
        file = self.directory / filing.path
        with suppress(FileNotFoundError):
            return file.read_bytes()
        content = render(filing)
        partial = file.with_suffix(f".{threading.get_ident()}")
        partial.write_bytes(content)
        partial.replace(file)  # never half a file, also when two threads render it
        return content

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that are gone: they are killed on purpose here."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # typeshed wants the socket's type


class _Handler(http.server.BaseHTTPRequestHandler):
    server: FilingServer
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path == LEDGER:
            self._send(200, "application/json", json.dumps(self.server.ledger()).encode())
        elif (filing := self.server.filings.get(path.removeprefix("/"))) is not None:
            self.server.count(path)  # before anything that takes time: the client may be killed meanwhile
            self._send(200, "application/pdf", self.server.pdf(filing))
        else:
            self._send(404, "text/plain", b"There is no filing of this name.\n")

    def do_DELETE(self) -> None:
        if self.path == LEDGER:
            self.server.forget()
            self._send(200, "text/plain", b"")
        else:
            self._send(405, "text/plain", b"Only the ledger can be deleted.\n")

    def _send(self, status: int, content_type: str, content: bytes) -> None:
        with suppress(ConnectionError):  # the client may have been killed meanwhile
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: ten thousand lines help nobody."""


def main() -> None:
    """Serve until interrupted, or with --alone until the standard input is closed."""
    parser = argparse.ArgumentParser(description="Serve the filings, and start a Postgres for the services.")
    parser.add_argument("--port", type=int, default=0, help="port of the file server; default: one that is free")
    parser.add_argument("--directory", type=Path, default=Path(".cache/demo/filings"), help="where PDFs are kept")
    parser.add_argument("--alone", action="store_true", help="only the file server, until standard input is closed")
    options = parser.parse_args()
    try:
        server = FilingServer(options.port, options.directory)
    except OSError as error:
        place = error.filename or f"port {options.port}"
        parser.error(f"{place} cannot be used ({error.strerror}): give another; without --port a free one is taken")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.url, flush=True)
    if options.alone:
        sys.stdin.read()
        os._exit(0)  # a download that hangs must not keep the process
    from examples.document_indexing.database import throw_away_postgres

    with throw_away_postgres() as url, suppress(KeyboardInterrupt):
        print(f"export DATABASE_URL='{url}'\nPress Ctrl-C to end.", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
