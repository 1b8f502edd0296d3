"""A transactional step: the user's rows and the step's outcome, both or neither, whatever makes the connection."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import Transactions
from tests.transactions.conftest import accounts
from tests.transactions.sources import Way

_numbers = count(1)


def named() -> str:
    """A name that no other step has."""
    return f"tests.transactions:{next(_numbers)}"


class Service:
    """A workflow with one transactional step between two plain ones, in the world of its connections."""

    def __init__(self, way: Way, url: str) -> None:
        self.way = way
        self.name = named()
        self.calls: list[str] = []
        self.fails_with: list[Exception] = []
        ledger = Transactions(way.source(url))
        if way.is_async:

            @ledger.step(name=self.name)
            async def aopen_account(connection: Any, name: str) -> str:
                self.calls.append(name)
                await way.write(connection, name)
                if self.fails_with:
                    raise self.fails_with.pop()
                return f"account of {name}"

            @perdure.workflow(name=f"{self.name} of all")
            async def aaccounts(names: list[str]) -> list[str]:
                return list(await asyncio.gather(*(aopen_account(name) for name in names)))

            self.step, self.workflow = aopen_account, aaccounts
        else:

            @ledger.step(name=self.name)
            def open_account(connection: Any, name: str) -> str:
                self.calls.append(name)
                way.write(connection, name)
                if self.fails_with:
                    raise self.fails_with.pop()
                return f"account of {name}"

            @perdure.workflow(name=f"{self.name} of all")
            def accounts_of(names: list[str]) -> list[str]:
                return [open_account(name) for name in names]

            self.step, self.workflow = open_account, accounts_of

    def run(self, names: list[str], run_id: str = "accounts") -> list[str]:
        handle = perdure.with_options(id=run_id).start(self.workflow, names)
        result: list[str] = handle.result(60)
        return result


def test_the_row_and_the_outcome_are_one_commit(way: Way, url: str) -> None:
    """Both are there, once."""
    service = Service(way, url)
    with perdure.running(url):
        assert service.run(["ada", "bob"]) == ["account of ada", "account of bob"]
        steps = perdure.runs.get("accounts").steps
    assert accounts(url) == ["ada", "bob"]
    assert len([step for step in steps if step.name == service.name]) == 2


def test_a_body_that_raises_has_done_nothing(way: Way, url: str) -> None:
    """The error is the outcome, and the row is not there."""
    service = Service(way, url)
    service.fails_with = [ValueError("no")]
    with perdure.running(url), pytest.raises(ValueError, match="no"):
        service.run(["ada"])
    assert accounts(url) == []


def test_a_result_that_cannot_be_stored_is_no_commit(way: Way, url: str) -> None:
    """It is refused before anything is committed."""
    ledger = Transactions(way.source(url))
    if way.is_async:

        @ledger.step(name=named())
        async def abad(connection: Any) -> object:
            await way.write(connection, "x")
            return object()

        step: Any = abad
    else:

        @ledger.step(name=named())
        def bad(connection: Any) -> object:
            way.write(connection, "x")
            return object()

        step = bad
    with perdure.running(url), pytest.raises(perdure.SerializationError):
        perdure.start(step).result(60)
    assert accounts(url) == []


def test_outside_any_run_it_is_a_transaction(way: Way, url: str) -> None:
    """And nothing is recorded."""
    service = Service(way, url)
    value = asyncio.run(service.step("ada")) if way.is_async else service.step("ada")
    assert value == "account of ada"
    assert accounts(url) == ["ada"]


def test_a_step_by_itself_takes_effect_once(way: Way, url: str) -> None:
    """Its checkpoint is the outcome that the run ends with."""
    service = Service(way, url)
    with perdure.running(url):
        assert perdure.start(service.step, "ada").result(60) == "account of ada"
    assert accounts(url) == ["ada"]


def test_a_conflict_is_tried_again(way: Way, url: str) -> None:
    """Nothing of the first attempt has happened."""

    class ConflictError(Exception):
        sqlstate = "40001"

    service = Service(way, url)
    service.fails_with = [ConflictError(), ConflictError()]
    with perdure.running(url):
        assert service.run(["ada"]) == ["account of ada"]
    assert service.calls == ["ada"] * 3
    assert accounts(url) == ["ada"]


def test_those_who_met_do_not_come_back_at_once(tmp_path: Path) -> None:
    """Of many that want the same row some would meet at each of ten attempts, and fail. Each pause is twice as long."""
    times: list[float] = []

    class ConflictError(Exception):
        sqlstate = "40001"

    @Transactions(lambda: sqlite3.connect(tmp_path / "own.db")).step(name=named())
    def meets(connection: sqlite3.Connection) -> None:
        times.append(time.monotonic())
        if len(times) < 7:
            raise ConflictError

    with perdure.running(tmp_path / "perdure.db"):
        perdure.start(meets).result(60)
    assert times[-1] - times[-2] >= 0.01 * 2**5 / 2  # half of it is left to chance


def test_a_sync_transaction_is_called_in_an_async_workflow(tmp_path: Path) -> None:
    """As any sync step; where it meets another one it comes back at once, for a pause would stop the event loop."""
    conflicts = count()

    class ConflictError(Exception):
        sqlstate = "40001"

    @Transactions(lambda: sqlite3.connect(tmp_path / "own.db")).step(name=named())
    def meets(connection: sqlite3.Connection) -> str:
        if next(conflicts) < 9:
            raise ConflictError
        return "done"

    @perdure.workflow(name=named())
    async def calls() -> str:
        return str(meets())

    async def main() -> str:
        began_at = time.monotonic()
        async with perdure.running(tmp_path / "perdure.db"):
            value: str = await calls()
        assert time.monotonic() - began_at < 0.01 * (2**9 - 1) / 2  # what nine pauses would take at least
        return value

    assert asyncio.run(main()) == "done"


def test_an_engine_needs_nothing_of_the_async_half(tmp_path: Path) -> None:
    """SQLAlchemy without `greenlet` has none: its module cannot be imported."""
    program = (
        "import sys; sys.modules['sqlalchemy.ext.asyncio'] = None\n"
        "import perdure, sqlalchemy\n"
        "from sqlalchemy.orm import Session, sessionmaker\n"
        "engine = sqlalchemy.create_engine('sqlite:///own.db')\n"
        "@perdure.Transactions(sessionmaker(engine)).step\n"
        "def one(session: Session) -> int:\n"
        "    return session.execute(sqlalchemy.text('SELECT 1')).scalar_one()\n"
        "@perdure.workflow\n"
        "def flow() -> int:\n"
        "    return one()\n"
        "with perdure.running('perdure.db'):\n"
        "    print(flow())\n"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.stdout == "1\n", said.stderr
