"""The fixtures of the tests of processes: a database, programs that use it, and the ledger that they write."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.processes.ledger import VARIABLE, read_notes
from tests.stores.conftest import store_url as store_url  # a fixture

with contextlib.suppress(ImportError):
    from tests.stores.postgres_server import postgres_url as postgres_url  # a fixture

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


class Program:
    """A program of `tests.processes.programs` as a process: it speaks in lines, and is gone when the test is."""

    def __init__(self, name: str, arguments: tuple[str, ...], environment: dict[str, str], folder: Path) -> None:
        self.errors = folder / f"{name}-{os.urandom(4).hex()}.err"
        with self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-X", "dev", "-W", "ignore", "-m", f"tests.processes.programs.{name}", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment,
                cwd=folder,
            )
        self.pid = self.process.pid

    def read(self) -> str:
        """The next line that it says; fails with its errors where it says nothing more."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.endswith("\n"), f"the program ended with {self.process.wait()}: {self.complaints()}"
        return line.rstrip("\n")

    def read_until(self, word: str) -> list[str]:
        """The words after the first line that begins with `word`."""
        while True:
            first, *rest = self.read().split()
            if first == word:
                return rest

    def tell(self, line: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def run(self, line: str) -> Any:
        """Have the console do a line of Python; the value of an expression."""
        self.tell(line)
        sign, _, answer = self.read().partition(" ")
        assert sign == "=", answer
        return json.loads(answer)

    def fail(self, line: str) -> str:
        """Have the console do a line that raises; the error's class and message."""
        self.tell(line)
        sign, _, answer = self.read().partition(" ")
        assert sign == "!", answer
        return answer

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def lives_for(self, seconds: float) -> bool:
        """Let it work so long; whether it is still there then."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def wait(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Its exit status."""
        return self.process.wait(seconds)

    def complaints(self) -> str:
        """What it has written to standard error."""
        return self.errors.read_text()

    def close(self) -> None:
        """End it, however it stands."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                with suppress(BrokenPipeError):  # of what it was told, and did not read
                    stream.close()


Start = Callable[..., Program]
Console = Callable[..., Program]


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """The file that bodies write to; see `tests.processes.ledger`."""
    return tmp_path / "ledger"


@pytest.fixture
def start_program(store_url: str, ledger: Path, tmp_path: Path) -> Iterator[Start]:
    """`start_program(name, *arguments, **environment)` on the test's database."""
    programs: list[Program] = []

    def start(name: str, *arguments: object, **environment: str) -> Program:
        settings = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)]),
            "PERDURE_URL": store_url,
            VARIABLE: str(ledger),
            **environment,
        }
        programs.append(Program(name, tuple(map(str, arguments)), settings, tmp_path))
        return programs[-1]

    yield start
    for program in programs:
        program.close()


@pytest.fixture
def console(start_program: Start) -> Console:
    """`console(**settings)`: a launched process that does what it is told, line by line."""

    def start(**settings: object) -> Program:
        program = start_program("console")
        assert program.read() == "ready"
        given = {"poll_seconds": 0.1, **settings}
        program.run(f"app = perdure.running(**{given!r}).__enter__()")
        return program

    return start


class Rows:
    """The database, with plain SQL, as a person would look at it and damage it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_postgres = url.startswith("postgres")

    def ask(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """All rows of a statement; parameters are marked with `?`."""
        if self._is_postgres:
            with psycopg.connect(self._url, options="-c search_path=perdure") as postgres:
                cursor = postgres.execute(statement.replace("?", "%s").encode(), parameters)
                return cursor.fetchall() if cursor.description is not None else []
        if not Path(self._url).exists():
            return []
        with closing(sqlite3.connect(self._url, timeout=30)) as sqlite, sqlite:
            if not sqlite.execute("SELECT 1 FROM sqlite_schema WHERE name = 'checkpoints'").fetchall():
                return []  # its process was killed before the tables were there
            return sqlite.execute(statement, parameters).fetchall()

    def states(self) -> dict[str, str]:
        """Every run's state."""
        return {str(run_id): str(state) for run_id, state in self.ask("SELECT id, state FROM runs")}

    def recorded_keys(self) -> set[str]:
        """What `idempotency_key()` was in the bodies whose outcome is recorded."""
        steps = self.ask("SELECT run_id, key FROM checkpoints WHERE kind = 'step'")
        alone = self.ask("SELECT id FROM runs WHERE kind = 'step' AND state = 'succeeded'")
        return {f"{run_id}:{key}" for run_id, key in steps} | {str(run_id) for (run_id,) in alone}


@pytest.fixture
def rows(store_url: str) -> Rows:
    """The test's database in plain SQL."""
    return Rows(store_url)


def bodies(ledger: Path, pid: int | None = None) -> list[str]:
    """The keys of the bodies that began, of one process or of all."""
    return [words[1] for writer, words in read_notes(ledger) if words[0] == "body" and pid in (None, writer)]
