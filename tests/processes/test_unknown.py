"""What a process cannot read or does not know waits, with a reason that people can read; everything else runs on.

Each launch within this process is a worker of its own, that knows of a run no more than its rows say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from uuid import uuid4

import pytest

import perdure
from perdure import step, workflow
from tests.processes.conftest import Rows
from tests.processes.waiting import PATIENCE_SECONDS, wait_until

INPUTS = ["", "{", "nonsense", '{"$perdure": "no such tag"}', "null", "17", '"text"', "[1, 2, 3]"]
OUTCOMES = ["{", "nonsense", '{"$perdure": "no such tag"}']
KINDS = ["step", "order", "child", "value", "sleep"]
AN_HOUR = 3600.0

Launch = Callable[[], AbstractContextManager[perdure.Perdure]]


@step(name="unknown:echo")
def echo(name: str) -> str:
    """Something to be executed."""
    return name


@step(name="unknown:answer")
async def answer(name: str) -> str:
    """The same, async."""
    await asyncio.sleep(0)
    return name


@workflow(name="unknown:small")
def small(name: str) -> str:
    """A child with a value."""
    return name


@workflow(name="unknown:remember")
async def remember(name: str) -> str:
    """One record of every kind, then a child that comes when the test says so."""
    perdure.uuid4()
    await perdure.sleep(0.0)
    first, second = await asyncio.gather(answer(name), perdure.start(small, name))
    assert first == second == name
    return await perdure.with_options(id=f"word for {name}", delay=AN_HOUR).start(small, name)


@pytest.fixture
def launch(store_url: str) -> Launch:
    """A worker with little patience."""
    return lambda: perdure.running(store_url, poll_seconds=0.05, park_after_seconds=0.0)


def check_parked(rows: Rows, run_ids: list[str]) -> None:
    """All of them come to wait for a mend, with a reason and uncharged, and another runs to its end meanwhile."""

    def parked() -> list[tuple[object, ...]]:
        found = rows.ask("SELECT id, stopped, attempts, reason FROM runs WHERE state = 'parked' ORDER BY id")
        return [row for row in found if row[0] in run_ids and row[1]]

    wait_until(lambda: len(parked()) == len(run_ids))
    assert echo("ok") == "ok"
    for run_id, _, attempts, reason in parked():
        assert attempts == 0, run_id
        assert "cannot be read" in str(reason), run_id


def test_a_run_of_an_unknown_function_waits_with_a_reason_until_its_code_is_there(launch: Launch, rows: Rows) -> None:
    """Submitted by a process with other code; a process that knows the function ends it."""
    name = f"elsewhere:{uuid4()}"
    with launch():
        handle = perdure.with_options(id="x", delay=AN_HOUR).start(echo, "x")
        rows.ask("UPDATE runs SET name = ?, due_at = NULL WHERE id = 'x'", name)
        ask = "SELECT state, reason FROM runs WHERE id = 'x' AND reason IS NOT NULL"
        perdure._api.app.current_runtime().keep_house()
        [(state, reason)] = rows.ask(ask)
        assert state == "ready"
        assert "no process that works on this queue knows this function" in str(reason)
        assert echo("ok") == "ok"

        @step(name=name)
        def found(name: str) -> str:
            return f"found {name}"

        assert handle.result(PATIENCE_SECONDS) == "found x"


def test_a_damaged_input_parks_its_run_alone_until_it_is_mended(launch: Launch, rows: Rows) -> None:
    """Whatever stands there, and under whatever codec; after the mend the next start goes on."""
    damages = {f"input {number}": ("json", text) for number, text in enumerate(INPUTS)} | {"codec": ("rot13", None)}
    with launch():
        for run_id in damages:
            perdure.with_options(id=run_id, delay=AN_HOUR).start(echo, run_id)
        good = dict(rows.ask("SELECT run_id, body FROM inputs"))
    for run_id, (codec, text) in damages.items():
        body = good[run_id] if text is None else text
        rows.ask("UPDATE inputs SET codec = ?, body = ? WHERE run_id = ?", codec, body, run_id)
    rows.ask("UPDATE runs SET due_at = NULL")
    with launch():
        check_parked(rows, list(damages))
        [(reason,)] = rows.ask("SELECT reason FROM runs WHERE id = 'codec'")
        assert "rot13" in str(reason)
    for run_id in damages:
        rows.ask("UPDATE inputs SET codec = 'json', body = ? WHERE run_id = ?", good[run_id], run_id)
    with launch():
        assert [perdure.handle(run_id).result(PATIENCE_SECONDS) for run_id in damages] == list(damages)


def test_a_damaged_record_parks_its_run_alone_until_it_is_mended(launch: Launch, rows: Rows) -> None:
    """Of every kind, found when the run is replayed: never an error of the run's own, never a charge."""
    damages = {f"{kind} {number}": (kind, text) for kind in KINDS for number, text in enumerate(OUTCOMES)}
    with launch():
        for run_id in damages:
            perdure.with_options(id=run_id).start(remember, run_id)
        wait_until(lambda: list(rows.states().values()).count("parked") == len(damages))
    mends: list[tuple[str, tuple[object, ...]]] = []
    for run_id, (kind, text) in damages.items():
        if kind == "child":
            [(owner, good)] = rows.ask(
                "SELECT run_id, body FROM outputs JOIN runs ON runs.id = run_id WHERE parent_id = ?", run_id
            )
            mends.append(("UPDATE outputs SET body = ? WHERE run_id = ?", (good, owner)))
        else:
            statement = "SELECT key, body FROM checkpoints WHERE run_id = ? AND kind = ? ORDER BY key"
            [(key, good), *_] = rows.ask(statement, run_id, kind)
            mends.append(("UPDATE checkpoints SET body = ? WHERE run_id = ? AND key = ?", (good, run_id, key)))
        statement, (_, *place) = mends[-1]
        rows.ask(statement, text, *place)
    rows.ask("UPDATE runs SET due_at = NULL WHERE due_at IS NOT NULL")
    with launch():
        check_parked(rows, list(damages))
    for statement, values in mends:
        rows.ask(statement, *values)
    with launch():
        assert [perdure.handle(run_id).result(PATIENCE_SECONDS) for run_id in damages] == list(damages)


def test_bytes_that_are_no_text_stop_nobody_else(launch: Launch, rows: Rows, store_url: str) -> None:
    """SQLite keeps any bytes in a column of text; the claim that meets them finds all other runs too."""
    if store_url.startswith("postgresql"):
        pytest.skip("Postgres refuses them when they are written")
    with launch():
        for run_id in ("input", "codec", "good"):
            perdure.with_options(id=run_id, delay=AN_HOUR).start(echo, run_id)
    rows.ask("UPDATE inputs SET body = CAST(x'ff2231' AS TEXT) WHERE run_id = 'input'")
    rows.ask("UPDATE inputs SET codec = CAST(x'ff2231' AS TEXT) WHERE run_id = 'codec'")
    rows.ask("UPDATE runs SET due_at = NULL")
    with launch():
        assert perdure.handle("good").result(PATIENCE_SECONDS) == "good"
        check_parked(rows, ["input", "codec"])
