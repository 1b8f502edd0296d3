"""History never slows the queue: how SQLite answers the hot questions beside many finished runs."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.stores.kinds import Kinds
from perdure.stores.sqlite import SqliteStore
from perdure.stores.sqlite.statements import decisions, statements
from tests.stores.entries import W1, WORK, claim, created, finished, join

HISTORY = 20_000
HOT = (
    "fence",
    "record_lone_checkpoint",
    "held_claims",
    "cancelled_among",
    "pass_cancel_on",
    "consume_cancels",
    "forget_heard",
    "return_wakes",
    "told",
    "has_told",
    "tell_parents",
    "tell_waiters",
    "forget_waiters",
    "taken_runs",
    "hand_back_runs",
    "take_over_worker",
    "take_over_cancelled_runs",
    "take_over_dead_runs",
    "take_over_runs",
    "sweep_cancelled_runs",
    "has_open_cancels",
    "mend_runs",
    "explain_unknown_runs",
    "renew_worker",
    "remove_worker",
    "ended_runs",
    "pulse",
    "cancel_runs",
    "run",
    "history_checkpoints",
    "history_children",
    "message_traces",
    "waiting_messages",
    "hook_traces",
    "hook",
)
LARGE = {
    "runs",
    "checkpoints",
    "inputs",
    "outputs",
    "messages",
    "hooks",
    "child",
    "other",
    "creator",
    "mine",
    "parent",
    "wakes",
    "waits",
    "run",
    "one",
}
"""The tables that grow with history, and the aliases that the statements give them."""

SMALL_INDEXES = {"runs_waiting", "messages_open"}
"""Partial indexes on what is unfinished: walking one of these whole is walking no history."""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    """A database with a long history, known to the planner (`ANALYZE`)."""
    path = tmp_path_factory.mktemp("history") / "perdure.db"
    fill(path)
    connection = sqlite3.connect(path)
    connection.create_function("note_cancel", 1, str)  # as the store's own connections have it
    for text in decisions(Kinds().all):
        connection.execute(text)
    connection.execute("ANALYZE")
    yield connection
    connection.close()


def fill(path: Path) -> None:
    """Twenty thousand finished runs, each with input and output, and a little that is not finished."""
    store = SqliteStore(path)
    store.migrate()
    join(store, W1)
    for start in range(0, HISTORY, 10_000):
        ids = [f"run {n}" for n in range(start, start + 10_000)]
        store.apply(W1, [created(run_id, held_as=f"claim of {run_id}") for run_id in ids])
        store.apply(W1, [finished(run_id, f"claim of {run_id}") for run_id in ids])
    store.apply(W1, [created(f"waiting {n}") for n in range(10)])
    store.close()


def plan(connection: sqlite3.Connection, name: str) -> list[str]:
    """The lines of the query plan of a statement of ours."""
    statement = statements()[name]
    return plan_of(connection, statement.text)


def plan_of(connection: sqlite3.Connection, text: str) -> list[str]:
    """The same of any statement."""
    rows = connection.execute(f"EXPLAIN QUERY PLAN {text}", [None] * text.count("?"))
    return [str(row[3]) for row in rows]


def split_statements(body: str) -> Iterator[str]:
    """At semicolons that are in no text."""
    statement = ""
    for part in body.split(";"):
        statement += part
        if statement.count("'") % 2 == 0:
            yield statement
            statement = ""


def parts_of(name: str) -> list[str]:
    """The statements of the trigger; what is planned for them inside of it is not told, but planned alike."""
    [trigger] = [text for text in decisions(Kinds().all) if f"TRIGGER {name} " in text]
    body = re.sub(r"--.*", "", trigger).split("BEGIN", 1)[1].rsplit("END", 1)[0]
    parts = [re.sub(r"RAISE\(ABORT, '[^']+'\)", "1", part) for part in split_statements(body)]
    return [re.sub(r"NEW\.\w+", "?", part).strip() for part in parts if part.strip()]


def walks(lines: list[str]) -> list[str]:
    """The lines that walk a table which grows with history."""
    return [
        line
        for line in lines
        if line.startswith("SCAN ")
        and line.split()[1] in LARGE
        and "VIRTUAL TABLE" not in line
        and not any(line.endswith(f"INDEX {index}") for index in SMALL_INDEXES)
    ]


@pytest.mark.parametrize("name", HOT)
def test_a_hot_question_walks_no_history(connection: sqlite3.Connection, name: str) -> None:
    """Each is answered by a search in an index, or by walking what is unfinished."""
    assert walks(plan(connection, name)) == []


def is_lookup(text: str) -> bool:
    """Whether the statement has to find runs."""
    return text.startswith("UPDATE runs") or "CROSS JOIN runs" in text or "FROM runs" in text


WRITERS = {
    "write_created": 3,
    "write_lived": 3,
    "write_recorded": 2,
    "write_finished": 4,
    "pass_cancels_on": 2,
    "write_parked": 2,
    "write_released": 3,
    "take_runs": 5,
    "read_wakes": 4,
    "write_sent": 4,
    "write_received": 2,
    "tell_parents": 1,
    "tell_waiters": 2,
}
"""How many statements each trigger has, at least."""


@pytest.mark.parametrize(("name", "at_least"), WRITERS.items())
def test_a_decision_walks_no_history(connection: sqlite3.Connection, name: str, at_least: int) -> None:
    """None of its statements."""
    assert len(parts_of(name)) >= at_least
    assert [line for text in parts_of(name) for line in walks(plan_of(connection, text))] == []


@pytest.mark.parametrize(
    "text",
    [text for name in WRITERS if name not in ("take_runs", "read_wakes") for text in parts_of(name) if is_lookup(text)]
    + parts_of("take_runs")[-1:],
)
def test_a_batch_is_looked_up_by_its_entries(connection: sqlite3.Connection, text: str) -> None:
    """Each finds its run by the id, or by its claim: else a batch would walk, for every entry, all that is held."""
    lines = plan_of(connection, text)
    hows = [line for line in lines if line.startswith(("SEARCH runs", "SEARCH child"))]
    assert hows
    for how in hows:
        assert re.search(r"\((id=\?|rowid=\?|worker=\? AND claim=\?|parent_id=\?)", how), how
    first = next(line for line in lines if line.startswith(("SCAN", "SEARCH runs")))
    assert "VIRTUAL TABLE" in first or "messages_open" in first  # the entries, or the cancels that are open


def test_the_check_of_plans_can_fail(connection: sqlite3.Connection) -> None:
    """A question that no index answers is found out."""
    rows = connection.execute("EXPLAIN QUERY PLAN SELECT * FROM runs WHERE name = 'x'")
    assert walks([str(row[3]) for row in rows]) != []


def test_unfinished_work_is_claimed_in_order_behind_a_long_history(tmp_path: Path) -> None:
    """The claim itself, not only its plan."""
    store = SqliteStore(tmp_path / "perdure.db")
    store.migrate()
    join(store, W1)
    store.apply(W1, [created(f"old {n}", held_as=f"c{n}") for n in range(1000)])
    store.apply(W1, [finished(f"old {n}", f"c{n}") for n in range(1000)])
    store.apply(W1, [created(f"new {n}") for n in range(5)])
    assert [run.run_id for run in claim(store, W1, names=[WORK])] == [f"new {n}" for n in range(5)]
    store.close()
