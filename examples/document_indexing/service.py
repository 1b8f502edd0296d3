"""The outside of a service: starting it, talking to it, killing it, and counting what it left behind.

Everything here looks at the service from without: over HTTP, in the database, and in the file server's ledger.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import psycopg.sql
from psycopg.abc import Query

from examples.document_indexing.forms import FORMS, Part
from examples.document_indexing.processes import Process, ServiceError, environment, free_port

START_SECONDS = 60
ANSWER_SECONDS = 120
"""A POST of ten thousand URLs may take a while."""
_COUNT_INDEXED = "SELECT count(*) FROM documents WHERE failure IS NULL"
_COUNT_CHUNKS = "SELECT count(*), count(DISTINCT node_id), count(DISTINCT metadata_->>'ref_doc_id') FROM {}"
_WHEN_INDEXED = "SELECT url, extract(epoch FROM changed_at)::float8 FROM documents WHERE failure IS NULL"


@dataclass(frozen=True, slots=True)
class Chunks:
    """What the index holds, counted from the chunks themselves."""

    all: int
    distinct: int
    documents: int


class Service:
    """One form of the service, as processes of its own; `name` is one of `FORMS`.

    They are started in `directory`, where each keeps what it records unless the `settings` of their environment say
    otherwise; `python` is an interpreter that has what the form needs.
    """

    def __init__(
        self, name: str, database_url: str, directory: Path, *, python: str = sys.executable, **settings: str
    ) -> None:
        self.form = FORMS[name]
        self._url = database_url
        self._database: psycopg.Connection[Any] | None = None
        self._settings = {"DATABASE_URL": database_url, **settings}
        self._words: dict[str, object] = {"python": python, "bin": Path(python).parent}
        self._have_run: set[str] = set()
        directory.mkdir(parents=True, exist_ok=True)
        self.processes = {part.name: Process(part.name, directory) for part in self.form.parts}
        self._client = httpx.Client(trust_env=False)

    def start(self, *names: str) -> float:
        """Start the parts of these names, by default all, and wait until they are ready; returns the seconds."""
        begun = time.monotonic()
        for part in self.form.parts:
            if not names or part.name in names:
                self._start(part)
        return time.monotonic() - begun

    def post(self, urls: Sequence[str], *, patience: float = ANSWER_SECONDS) -> int:
        """Ask the service to index documents; returns the status it answers with."""
        return self._client.post("/index", json={"urls": list(urls)}, timeout=patience).status_code

    def chat(self, question: str) -> str:
        """Ask the service a question."""
        response = self._client.post("/chat", json={"message": question}, timeout=ANSWER_SECONDS)
        response.raise_for_status()
        answer: str = response.json()["answer"]
        return answer

    def report(self) -> dict[str, Any]:
        """What the service says of its documents: how many are indexed, and which failed, with the reason."""
        response = self._client.get("/documents", timeout=ANSWER_SECONDS)
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found

    def indexed(self) -> int:
        """How many documents the database has as indexed."""
        try:
            return int(self._ask(_COUNT_INDEXED)[0][0])
        except psycopg.errors.UndefinedTable:
            return 0  # the service creates its tables when it indexes its first document

    def when_indexed(self) -> dict[str, float]:
        """When each document was indexed, by its URL, in seconds since the epoch by the machine's clock."""
        return dict(self._ask(_WHEN_INDEXED))

    def chunks(self) -> Chunks:
        """Count the chunks in the index."""
        table = psycopg.sql.Identifier(
            "data_chunks_openai" if os.environ.get("OPENAI_API_KEY") else "data_chunks_local"
        )
        return Chunks(*self._ask(psycopg.sql.SQL(_COUNT_CHUNKS).format(table))[0])

    def check_alive(self) -> None:
        """Raise if a process has ended without having been told to."""
        for process in self.processes.values():
            process.check_alive()

    def kill(self, *names: str) -> None:
        """End the parts of these names, by default all, with SIGKILL, which they cannot see coming."""
        for name, process in self.processes.items():
            if not names or name in names:
                process.kill()

    def close(self) -> None:
        """Kill the processes that run, and close our own connections to them."""
        self.kill()
        self._client.close()
        if self._database is not None:
            self._database.close()

    def _start(self, part: Part) -> None:
        process = self.processes[part.name]
        for _ in range(3):  # somebody else may take a port between our look and the process's start
            if part.name == self.form.api:
                self._words["port"] = free_port()
                self._client.base_url = httpx.URL(f"http://127.0.0.1:{self._words['port']}")
            if part.name not in self._have_run:
                self._words.update({name: free_port() for name in part.ports})
            settings = {name: value.format_map(self._words) for name, value in self.form.settings.items()}
            process.start(self._filled(part.command), {**self._settings, **settings})
            if self._is_ready(part):
                self._have_run.add(part.name)
                return
        raise ServiceError(f"The {self.form.name} form's {part.name} did not start:\n{process.end_of_log()}")

    def _filled(self, command: Sequence[str]) -> list[str]:
        return [word.format_map(self._words) for word in command]

    def _is_ready(self, part: Part) -> bool:
        """Wait until the process is ready; False if it has ended, or does not become ready, and is killed then."""
        process = self.processes[part.name]
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and process.is_running():
            if self._seems_ready(part):
                return True
            time.sleep(0.05)
        process.kill()
        return False

    def _seems_ready(self, part: Part) -> bool:
        if part.name == self.form.api:
            try:
                return self._client.get("/openapi.json").status_code == 200
            except httpx.TransportError:
                return False
        asked = self._filled(part.health)
        return not asked or subprocess.run(asked, capture_output=True, check=False).returncode == 0

    def _ask(self, question: Query) -> list[tuple[Any, ...]]:
        """Rows of the index's database; a connection that was lost with it is made again."""
        if self._database is not None:
            try:
                return self._database.execute(question).fetchall()
            except psycopg.OperationalError:
                self._database.close()
        self._database = psycopg.connect(self._url, autocommit=True)
        return self._database.execute(question).fetchall()


class FileServer:
    """The file server as a process of its own, with its ledger of downloads."""

    def __init__(self, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "examples.document_indexing.serve", "--alone", "--directory", str(directory)],
            env=environment(),
            stdin=subprocess.PIPE,  # it ends when we close this, also if we are killed
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise ServiceError("The file server did not start: see the error above")

    def downloads(self) -> dict[str, int]:
        """How often each document was downloaded, by its URL; waits until nothing is added any more.

        A request that a killed client had just sent is counted a moment after the client's death.
        """
        before, ledger = None, self._ledger()
        while ledger != before:
            time.sleep(0.3)
            before, ledger = ledger, self._ledger()
        return {self.url + path: count for path, count in ledger.items()}

    def _ledger(self) -> dict[str, int]:
        ledger: dict[str, int] = httpx.get(f"{self.url}/ledger", trust_env=False).json()
        return ledger

    def forget(self) -> None:
        """Begin a new ledger."""
        httpx.delete(f"{self.url}/ledger", trust_env=False).raise_for_status()

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
