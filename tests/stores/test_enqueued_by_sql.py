"""Runs that psql, or a program in another language, makes: `perdure.enqueue` on Postgres, an INSERT on SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import psycopg
import pytest

import perdure
from perdure import Client, DuplicateRunError, Queue, RunExistsError, step

Enqueue = Callable[..., Any]

jobs = Queue("jobs of others")
DATABASE_ERRORS = (psycopg.Error, sqlite3.Error)


@step(name="others:job")
def job(*args: Any, **kwargs: Any) -> str:
    """It says what it was given."""
    return f"{args} {kwargs}"


def connect(url: str) -> Any:
    """As another program would."""
    return psycopg.connect(url) if url.startswith("postgres") else sqlite3.connect(url, timeout=30)


def enqueue_on(connection: Any, **given: Any) -> Any:
    """What another program says; on Postgres it is answered by the run's id."""
    given = {name: json.dumps(its) if isinstance(its, (dict, list)) else its for name, its in given.items()}
    if isinstance(connection, psycopg.Connection):
        named = ", ".join(f"{name} => %({name})s" for name in given)
        return connection.execute(f"SELECT perdure.enqueue({named})".encode(), given).fetchall()[0][0]
    values = ", ".join(f":{name}" for name in given)
    connection.execute(f"INSERT INTO enqueue ({', '.join(given)}) VALUES ({values})", given)  # noqa: S608  # names of columns
    return given.get("id")


@pytest.fixture
def client(store_url: str) -> Iterator[Client]:
    """Who looks at what was made."""
    with Client(store_url) as opened:
        opened.migrate()
        yield opened


@pytest.fixture
def enqueue(store_url: str, client: Client) -> Iterator[Enqueue]:
    """Makes one run in a transaction of its own."""
    with closing(connect(store_url)) as connection:

        def call(**given: Any) -> Any:
            try:
                answer = enqueue_on(connection, **given)
            except BaseException:
                connection.rollback()
                raise
            connection.commit()
            return answer

        yield call


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        ([], "() {}"),
        (["a", 1, 1.5, None, [True]], "('a', 1, 1.5, None, [True]) {}"),
        ({"to": "ada", "n": {"x": 1}}, "() {'to': 'ada', 'n': {'x': 1}}"),
    ],
)
def test_a_worker_executes_what_another_program_has_made(
    enqueue: Enqueue, store_url: str, arguments: Any, seen: str
) -> None:
    """With its arguments, by position or by name."""
    enqueue(name="others:job", id="theirs", kind="step", queue=jobs.name, arguments=arguments)
    with perdure.running(store_url, poll_seconds=0.2):
        assert perdure.handle("theirs").result(30) == seen


def test_an_id_is_made_that_begins_with_the_time(enqueue: Enqueue, client: Client) -> None:
    """As those that Perdure draws: they lie together in the indexes."""
    for _ in range(3):
        enqueue(name="others:job")
    ids = [run.run_id for run in client.runs.list().runs]
    assert [UUID(run_id).version for run_id in ids] == [7, 7, 7]
    drawn = UUID(client.with_options(queue=jobs).submit(job).run_id).int >> 80
    assert all(abs((UUID(run_id).int >> 80) - drawn) < 3_600_000 for run_id in ids)  # milliseconds


def test_a_run_is_the_same_as_one_that_a_client_has_made(enqueue: Enqueue, client: Client, store_url: str) -> None:
    """In every column but those that tell them apart."""
    attributes = {"tenant": "a", "size": 3, "is_big": True}
    enqueue(name="others:job", id="a", kind="step", queue="q", priority=3, attributes=attributes, dedup="a", key="t",
            dedup_until="start", arguments=["x"])  # fmt: skip
    options = client.with_options(
        id="b", queue="q", key="t", priority=3, attributes=attributes, dedup="b", dedup_until="start"
    )
    options.submit(job, "x")
    schema = "perdure." if store_url.startswith("postgres") else ""
    with closing(connect(store_url)) as connection:
        cursor = connection.execute(f"SELECT * FROM {schema}runs ORDER BY id".encode().decode())  # noqa: S608
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        inputs = connection.execute(f"SELECT codec, body FROM {schema}inputs").fetchall()  # noqa: S608
    own = {"id", "seq", "created_at", "created_by", "fingerprint", "dedup_key"}
    theirs, ours = ({name: value for name, value in row.items() if name not in own} for row in rows)
    assert theirs == ours
    assert inputs == [("json", '["x"]')] * 2
    assert client.runs.get("a").attributes == client.runs.get("b").attributes


def test_the_same_id_is_the_same_run(enqueue: Enqueue, client: Client) -> None:
    """Whoever makes it; of other arguments, or another function, it is an error."""
    for _ in range(2):
        enqueue(name="others:job", id="one", arguments={"a": 1, "b": 2})
    with pytest.raises(DATABASE_ERRORS, match="exists"):
        enqueue(name="others:job", id="one", arguments={"a": 2})
    with pytest.raises(DATABASE_ERRORS, match="exists"):
        enqueue(name="others:another", id="one", arguments={"a": 1, "b": 2})
    assert client.with_options(id="one").submit(job, a=1, b=2).run_id == "one"
    with pytest.raises(RunExistsError):
        client.with_options(id="one").submit("others:another")
    assert len(client.runs.list().runs) == 1


def test_a_key_is_one_runs_at_a_time(enqueue: Enqueue, client: Client) -> None:
    """The same keys as everybody's."""
    enqueue(name="others:job", id="first", queue="q", dedup="k")
    with pytest.raises(DATABASE_ERRORS, match="has th"):
        enqueue(name="others:job", queue="q", dedup="k")
    with pytest.raises(DuplicateRunError) as raised:
        client.with_options(queue="q", dedup="k").submit(job)
    assert raised.value.run_id == "first"
    assert enqueue(name="others:job", queue="q", dedup="k", on_duplicate="return_existing") in ("first", None)
    with pytest.raises(DATABASE_ERRORS, match="has th"):
        enqueue(name="others:another", queue="q", dedup="k", on_duplicate="return_existing")
    assert len(client.runs.list().runs) == 1


def test_a_run_is_part_of_the_transaction(store_url: str, client: Client) -> None:
    """Rolled back with it."""
    with closing(connect(store_url)) as connection:
        enqueue_on(connection, name="others:job")
        connection.rollback()
    assert client.runs.list().runs == []


WRONG: list[dict[str, Any]] = [
    {"name": ""},
    {"name": None},
    {"name": "x" * 501},
    {"id": ""},
    {"queue": "q" * 501},
    {"dedup": ""},
    {"key": "", "queue": "q"},
    {"key": "outside any queue"},
    {"kind": "job"},
    {"dedup": "k", "dedup_until": "never"},
    {"dedup": "k", "on_duplicate": "ignore"},
    {"arguments": "1"},
    {"arguments": "[1"},
    {"arguments": {"a": [{"$type": "x"}]}},
    {"attributes": [1]},
    {"attributes": {"a": [1]}},
    {"attributes": {"a": None}},
    {"attributes": {"": "x"}},
    {"attributes": {str(number): 1 for number in range(33)}},
    {"max_attempts": 0},
    {"id": "trip:undo"},
    {"id": "trip:undo:12"},
    {"attributes": {"a\nb": 1}},
    {"attributes": {"a": "b\u200bc"}},
    {"attributes": '{"a": 1, "a": 2}'},
    {"attributes": r'{"a": "\u0000"}'},
    {"attributes": r'{"a\u0000": 1}'},
    {"attributes": r'{"a": "b\\\u0000c"}'},
    *({what: f"a{letter}b"} for what in ("name", "id") for letter in "\n\x7f\xa0\u200b\u2028\U000e0001"),
]


@pytest.mark.parametrize("wrong", WRONG, ids=ascii)
def test_what_cannot_be_is_refused(enqueue: Enqueue, client: Client, wrong: dict[str, Any]) -> None:
    """Where it is given, on Postgres with the SQLSTATE of such; nothing was made."""
    with pytest.raises(DATABASE_ERRORS, match=r"(perdure\.)?enqueue: |json") as raised:
        enqueue(**({"name": "others:job"} | wrong))
    if isinstance(raised.value, psycopg.Error) and wrong != {"arguments": "[1"}:
        assert raised.value.sqlstate == "22023"
    assert client.runs.list().runs == []


def test_what_no_database_reads_in_a_text_is_a_wrong_argument(store_url: str, client: Client) -> None:
    """Postgres's JSON has no way to say it; SQLite takes it as Python's clients do."""
    for arguments in (r'["\u0000"]', r'["\ud800"]'):
        with closing(connect(store_url)) as connection:
            if isinstance(connection, psycopg.Connection):
                with pytest.raises(psycopg.Error) as raised:
                    enqueue_on(connection, name="others:job", arguments=arguments)
                assert raised.value.sqlstate == "22023"


def test_ids_are_those_that_python_takes(enqueue: Enqueue, client: Client) -> None:
    """Letters of all scripts, signs, and what only looks like the id of an undoer."""
    for given in ("ä-é-中-🙂", "a b[c]^*?", "a:undone", "a:undo:", "a:undo:1x", ":undoing:1"):
        enqueue(name="others:job", id=given)
        assert client.with_options(id=given).submit("others:job").run_id == given


@pytest.mark.parametrize(
    ("postgres", "sqlite"), [("infinity", 9e999), ("-infinity", -9e999), ("10000-01-01", 253402300800)]
)
def test_a_time_that_no_program_can_show_is_refused(
    enqueue: Enqueue, client: Client, store_url: str, postgres: str, sqlite: float
) -> None:
    """It would be in the way of everybody who lists runs."""
    with pytest.raises(DATABASE_ERRORS, match="run_at: give a time of the years 1 to 9999"):
        enqueue(name="others:job", run_at=postgres if store_url.startswith("postgres") else sqlite)
    assert client.runs.list().runs == []


@pytest.mark.parametrize(("name", "value"), [("max_attempts", 0), ("priority", None), ("max_attempts", None)])
def test_a_number_that_cannot_be_is_refused_by_its_name(
    enqueue: Enqueue, client: Client, store_url: str, name: str, value: Any
) -> None:
    """With the code that the page names. In a view's row NULL is what was not given."""
    if store_url.startswith("postgres"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=f"{name}: give a whole number"):
            enqueue(name="others:job", **{name: value})
        assert client.runs.list().runs == []
    elif value is None:
        enqueue(name="others:job", **{name: value})


def test_a_priority_of_more_than_32_bits_is_refused(enqueue: Enqueue, client: Client) -> None:
    """As in Python."""
    with pytest.raises(DATABASE_ERRORS):
        enqueue(name="others:job", priority=2**31)
    assert client.runs.list().runs == []
