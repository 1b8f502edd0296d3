"""The outside of a service: starting it, talking to it, killing it, and counting what it left behind.

Everything here looks at the service from without: over HTTP, in the database, and in the file server's ledger.
"""

from __future__ import annotations

import os
import signal
import socket
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

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
_COUNT_INDEXED = "SELECT count(*) FROM documents WHERE failure IS NULL"
_COUNT_CHUNKS = "SELECT count(*), count(DISTINCT node_id), count(DISTINCT metadata_->>'ref_doc_id') FROM {}"


class ServiceError(Exception):
    """The service did not come up or ended by itself; the message has the end of its log."""


@dataclass(frozen=True, slots=True)
class Chunks:
    """What the index holds, counted from the chunks themselves."""

    all: int
    distinct: int
    documents: int


def at_our_end(script: str, *arguments: str) -> subprocess.Popen[bytes]:
    """A shell whose input ends when this process does: its script's `read` returns then, whatever ended us."""
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is ours to handle
    )


def environment(**settings: str) -> dict[str, str]:
    """The environment for our own processes: they find the example, and talk to this machine without a proxy."""
    path = os.pathsep.join(filter(None, (str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "NO_PROXY": "127.0.0.1", "PYTHONUNBUFFERED": "1", **settings}


class Service:
    """One of the two services as a process of its own; `name` is "plain" or "durable".

    It is started in `directory`, where the durable one keeps `perdure.db` unless PERDURE_URL among the `settings` of
    its environment says otherwise.
    """

    def __init__(self, name: str, database_url: str, directory: Path, **settings: str) -> None:
        self.name = name
        self._database = psycopg.connect(database_url, autocommit=True)
        self._environment = environment(DATABASE_URL=database_url, **settings)
        self._directory = directory
        self._log = directory / "service.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._client = httpx.Client(trust_env=False, timeout=120)
        directory.mkdir(parents=True, exist_ok=True)

    def start(self) -> float:
        """Start the process, on a port that is free, and wait until it answers; returns the seconds this took."""
        begun = time.monotonic()
        self.kill()
        with self._log.open("ab") as log:
            for _ in range(3):  # somebody else may take the port between our look and the service's start
                port = _free_port()
                self._process = subprocess.Popen(
                    self._command(port),
                    cwd=self._directory,
                    env=self._environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C is ours to handle
                )
                self._guard = at_our_end('read -r _; kill -KILL "-$1"', str(self._process.pid))
                self._client.base_url = httpx.URL(f"http://127.0.0.1:{port}")
                if self._answers():
                    return time.monotonic() - begun
        raise ServiceError(f"The {self.name} service did not start:\n{self._end_of_log()}")

    def post(self, urls: Sequence[str]) -> int:
        """Ask the service to index documents; returns the status it answers with."""
        return self._client.post("/index", json={"urls": list(urls)}).status_code

    def chat(self, question: str) -> str:
        """Ask the service a question."""
        response = self._client.post("/chat", json={"message": question})
        response.raise_for_status()
        answer: str = response.json()["answer"]
        return answer

    def report(self) -> dict[str, Any]:
        """What the service says of its documents: how many are indexed, and which failed, with the reason."""
        response = self._client.get("/documents")
        response.raise_for_status()
        found: dict[str, Any] = response.json()
        return found

    def indexed(self) -> int:
        """How many documents the database has as indexed."""
        try:
            row = self._database.execute(_COUNT_INDEXED).fetchone()
        except psycopg.errors.UndefinedTable:
            return 0  # the service creates its tables when it indexes its first document
        return int(row[0]) if row else 0

    def chunks(self) -> Chunks:
        """Count the chunks in the index."""
        table = psycopg.sql.Identifier(
            "data_chunks_openai" if os.environ.get("OPENAI_API_KEY") else "data_chunks_local"
        )
        row = self._database.execute(psycopg.sql.SQL(_COUNT_CHUNKS).format(table)).fetchone()
        return Chunks(*row) if row else Chunks(0, 0, 0)

    def check_alive(self) -> None:
        """Raise if the process has ended without having been told to."""
        if self._process is None or self._process.poll() is not None:
            raise ServiceError(f"The {self.name} service has ended by itself:\n{self._end_of_log()}")

    def kill(self) -> None:
        """End the process with SIGKILL, which it cannot see coming, and all that it may have started."""
        if self._guard is not None:  # first: the number may soon be another process's
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def close(self) -> None:
        """Kill the process if it runs, and close our own connections to it."""
        self.kill()
        self._client.close()
        self._database.close()

    def _command(self, port: int) -> list[str]:
        app = f"examples.document_indexing.{self.name}.app:app"
        return [
            sys.executable,
            "-m",
            "uvicorn",
            app,
            "--port",
            str(port),
            "--log-level",
            "warning",
            "--timeout-graceful-shutdown",
            "10",
        ]

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            try:
                return self._client.get("/openapi.json").status_code == 200
            except httpx.TransportError:
                time.sleep(0.05)
        self.kill()
        return False

    def _end_of_log(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-25:])


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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
