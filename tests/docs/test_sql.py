"""The SQL on the pages for people who operate Perdure is what the databases take."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import perdure
from perdure import Client, Queue, step, workflow
from tests.docs.pages import blocks_of

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("operating", "how-to", "guide")
PAGES = sorted(page for folder in FOLDERS for page in (ROOT / "docs" / folder).glob("*.md"))
QUEUE = Queue("sql on the pages")


@step
def add(number: int) -> int:
    return number + 1


@workflow
def count(numbers: int) -> int:
    return sum(QUEUE.submit(add, number).result() for number in range(numbers))


def queries() -> list[str]:
    """Every question on the pages that both databases are to answer."""
    blocks = [block for page in PAGES for block in blocks_of(page.read_text()) if block.language == "sql"]
    return [block.text for block in blocks if block.text.startswith("SELECT") and "perdure." not in block.text]


def grants() -> list[str]:
    """The statements of the page on Postgres, one block for each way, as it stands there."""
    blocks = blocks_of((ROOT / "docs" / "operating" / "postgres.md").read_text())
    return [block.text for block in blocks if block.language == "sql"]


def test_what_the_pages_ask_is_answered_by_sqlite(tmp_path: Path) -> None:
    """With rows there, and by a connection that can only read."""
    with perdure.running(tmp_path / "asked.db"):
        count(2)
    connection = sqlite3.connect(f"file:{tmp_path}/asked.db?mode=ro", uri=True)
    answers = [connection.execute(query).fetchall() for query in queries()]
    connection.close()

    assert any(answers)
    assert len(answers) >= 8


def test_what_the_pages_ask_is_answered_by_postgres(own_postgres_url: str) -> None:
    """The same text, once the schema is on the search path."""
    with perdure.running(own_postgres_url):
        count(2)
    with psycopg.connect(own_postgres_url) as connection:
        connection.execute("SET search_path TO perdure")
        answers = [connection.execute(query.encode()).fetchall() for query in queries()]

    assert any(answers)


@pytest.fixture
def database(own_postgres_url: str) -> Iterator[psycopg.Connection]:
    """An empty database called whatever it is called, the roles of the page, and who may grant."""
    with psycopg.connect(own_postgres_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA perdure CASCADE")
        for role in ("shop", "looker", "keeper"):
            connection.execute(f"CREATE ROLE {role} LOGIN".encode())
        yield connection
        connection.execute("DROP OWNED BY shop, looker, keeper CASCADE")
        connection.execute("DROP ROLE shop, looker, keeper")


def as_role(connection: psycopg.Connection, role: str) -> str:
    """The same database for another role."""
    given = {key: value for key, value in conninfo_to_dict(connection.info.dsn).items() if value is not None}
    parts = given | {"user": role}
    return f"postgresql:///{parts.pop('dbname')}?" + "&".join(f"{key}={value}" for key, value in parts.items())


def works(url: str) -> bool:
    """Whether Perdure does everything there with what the role may do."""
    with perdure.running(url):
        return count(2) == 3


def test_the_grants_of_the_page_are_enough(database: psycopg.Connection) -> None:
    """Each way in turn, on a server that grants nothing else; who only looks sees the views alone."""
    create, own, use, look = grants()
    name = conninfo_to_dict(make_conninfo(database.info.dsn))["dbname"]

    database.execute(create.replace("DATABASE app", f'DATABASE "{name}"').encode())
    assert works(as_role(database, "shop"))
    database.execute(f'DROP SCHEMA perdure CASCADE; REVOKE CREATE ON DATABASE "{name}" FROM shop'.encode())

    database.execute(own.encode())
    assert works(as_role(database, "shop"))
    database.execute("DROP SCHEMA perdure CASCADE; CREATE SCHEMA perdure AUTHORIZATION keeper")

    assert works(as_role(database, "keeper"))
    with psycopg.connect(as_role(database, "keeper"), autocommit=True) as keeper:
        keeper.execute(use.encode())
        keeper.execute(look.encode())
    assert works(as_role(database, "shop"))
    with psycopg.connect(as_role(database, "looker"), autocommit=True) as looker:
        [(seen,)] = looker.execute("SELECT count(*) FROM perdure.run_view").fetchall()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            looker.execute("SELECT * FROM perdure.runs")
    assert seen == 6


def test_questions_are_found() -> None:
    """The search does not pass by finding nothing."""
    assert len(queries()) >= 8
    assert re.search(r"run_view", queries()[0])


OTHER_LANGUAGES = ROOT / "docs" / "how-to" / "other-languages.md"


@step(name="shop:send_mail")
def send_mail(to: str, copies: int) -> str:
    return f"{copies} mails to {to}"


def executed(url: str, expected: int) -> list[object]:
    """What has become of the runs of the page."""
    with Client(url) as client, perdure.running(url, poll_seconds=0.2):
        Queue("mails")
        runs = client.runs.list(queue="mails").runs
        assert len(runs) == expected
        return sorted(str(perdure.handle(run.run_id).result(30)) for run in runs)


def test_the_sql_for_other_languages_makes_runs_on_postgres(own_postgres_url: str) -> None:
    """Each block in turn, the trigger too; a worker executes them."""
    blocks = [block.text for block in blocks_of(OTHER_LANGUAGES.read_text()) if block.language == "sql"]
    with psycopg.connect(own_postgres_url) as connection:
        for text in blocks:
            if "perdure." in text:
                connection.execute(text.encode())
    assert executed(own_postgres_url, 3) == ["18 mails to bob", "3 mails to ada", "3 mails to ada"]


def test_the_sql_for_other_languages_makes_runs_on_sqlite(tmp_path: Path) -> None:
    """The same of the view."""
    blocks = [block.text for block in blocks_of(OTHER_LANGUAGES.read_text()) if block.language == "sql"]
    with perdure.running(tmp_path / "shop.db"):
        pass
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        for text in blocks:
            if "INTO enqueue" in text:
                connection.execute(text)
    connection.close()
    assert executed(str(tmp_path / "shop.db"), 2) == ["3 mails to ada", "3 mails to ada"]
