"""Whole runs as rows: every table of a run is known, they come out as they go in, all or nothing."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

import perdure
from perdure import Client, RunExistsError, StoreRefusedError, UsageError, step, workflow
from perdure.stores import keeping
from perdure.stores.keeping.columns import kind_of
from tests.stores.conftest import KINDS

STORES = Path(keeping.__file__).parents[1]
SCHEMA = (STORES / "postgres" / "schema.sql").read_text(encoding="utf-8")
TABLE = re.compile(r"^CREATE TABLE perdure\.(\w+) \((.*?)^\)", re.MULTILINE | re.DOTALL)
COLUMN = re.compile(r"^    (\w+) +(\w[\w ]*?(?:\[\])?)(?: |,|$)", re.MULTILINE)
OF_WORKERS = {"workers", "migrations", "decisions"}

limited = perdure.Queue("limited")


@step
def double(value: int) -> int:
    """A step, or a child."""
    return value * 2


@workflow
def waits(value: int) -> list[Any]:
    """It has something in many tables, and waits for a message."""
    perdure.set_attributes({"value": str(value)})
    perdure.set_event("value", value)
    first = perdure.start(double, value).result()
    perdure.stream("said").write(first)
    token = perdure.hook(str, token=f"hook-{value}").token
    return [first, double(first), token, perdure.recv("go", timeout=3600)]


def parked(url: str, *values: int) -> None:
    """A run of each value, that waits, and one that has ended, left by a process that has shut down."""
    with perdure.running(url, park_after_seconds=0, poll_seconds=0.05):
        handles = [perdure.with_options(id=f"waits-{value}").start(waits, value) for value in values]
        perdure.with_options(id="ended").start(double, 4).result(30)
        never = threading.Event()
        for handle in handles:
            while handle.status() != "parked":
                never.wait(0.01)


def go_on(url: str, value: int) -> list[Any]:
    """Let the waiting run end in this database."""
    with perdure.running(url, poll_seconds=0.05):
        perdure.send(f"waits-{value}", "went", topic="go")
        found: list[Any] = perdure.handle(f"waits-{value}").result(30)
        assert list(perdure.handle(f"waits-{value}").stream("said")) == [value * 2]
        return found


def plain(tables: dict[str, list[dict[str, Any]]], tolerance: float | None = None) -> dict[str, list[dict[str, Any]]]:
    """The rows without what the two databases write in two ways: digits of ids, and parts of a microsecond."""
    ids = {"last_claim", "finished_by", "claim", "resolved_by"}

    def written(column: str, value: Any) -> Any:
        if kind_of(column) == "time" and value is not None and tolerance is not None:
            return pytest.approx(value, abs=tolerance)
        is_id = isinstance(value, str) and column in ids
        return value.replace("-", "") if is_id else value

    return {table: [{k: written(k, v) for k, v in row.items()} for row in rows] for table, rows in tables.items()}


@contextmanager
def another(request: pytest.FixtureRequest, tmp_path: Path, kind: str) -> Iterator[str]:
    """The URL of one more database."""
    if kind == "sqlite":
        yield str(tmp_path / "another.db")
    else:
        from tests.stores.postgres_server import server_of

        with server_of(request.config).database() as url:
            yield url


def test_every_table_with_a_runs_id_is_known() -> None:
    """Or it would be forgotten by export, removal and move."""
    known = (
        {table.name for table in (*keeping.OF_RUNS, *keeping.PASSING, *keeping.SETTINGS)}
        | OF_WORKERS
        | {*keeping.DERIVED}
    )
    assert {name for name, _ in TABLE.findall(SCHEMA)} - known == set()


def test_what_is_removed_is_removed_from_every_table() -> None:
    """The function of Postgres names each; in a file the foreign keys do."""
    removal = (STORES / "postgres" / "decisions" / "removal.sql").read_text(encoding="utf-8")
    sqlite = (STORES / "sqlite" / "schema.sql").read_text(encoding="utf-8")
    for table in (*keeping.OF_RUNS, *keeping.PASSING):
        if not table.outlives:
            assert f"FROM perdure.{table.name} WHERE {table.key} = ANY (gone)" in removal
            body = re.search(rf"^CREATE TABLE {table.name} \((.*?)^\)", sqlite, re.MULTILINE | re.DOTALL)
            assert body is not None
            assert table.name == "runs" or re.search(
                rf"{table.key} .*REFERENCES runs \(id\) ON DELETE CASCADE", body[1]
            )


def test_a_columns_name_tells_its_kind() -> None:
    """By it the two databases are translated."""
    kinds = {"timestamptz": "time", "boolean": "flag", "text[]": "list", "json": "json", "jsonb": "json"}
    for name, body in TABLE.findall(SCHEMA):
        if name not in OF_WORKERS and name not in keeping.DERIVED:
            columns = COLUMN.findall(re.sub(r"--.*", "", body))
            assert columns, name
            for column, kind in columns:
                if column != "CHECK":
                    assert kind_of(column, name) == kinds.get(kind.split(" ")[0], "plain"), (name, column)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_goes_on_where_it_was_imported(
    store_url: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """With its history, its children and what it has said, whatever the other database is."""
    parked(store_url, 3)
    with Client(store_url) as client:
        document = json.dumps(client.export_run("waits-3", children=True))
    with another(request, tmp_path, kind) as url:
        with Client(url) as there:
            imported = there.import_runs(document)
            again = there.export_run("waits-3", children=True)
            with pytest.raises(RunExistsError, match="nothing was imported"):
                there.import_runs(document)
        assert imported[0] == "waits-3"
        assert plain(again["tables"]) == plain(json.loads(document)["tables"], 0.00001)
        assert go_on(url, 3) == [6, 12, "hook-3", "went"]


def test_what_cannot_be_imported_is_refused_whole(store_url: str) -> None:
    """Said clearly, and nothing is half done."""
    parked(store_url, 3)
    with Client(store_url) as client:
        document = client.export_run("ended")
        client.runs.cancel("waits-3")
        renamed = json.loads(json.dumps(document).replace('"ended"', '"other"'))
        for change, error, said in (
            ({"version": 2}, UsageError, "version 2, this Perdure reads 1"),
            ({"format": "x"}, UsageError, "no file of runs"),
            ({"tables": {"runs": []}}, UsageError, "damaged"),
            ({"tables": {**renamed["tables"], "strange": [{}]}}, StoreRefusedError, "no table strange"),
            ({"tables": {**renamed["tables"], "inputs": [{"run_id": "waits-3"}]}}, StoreRefusedError, "not among"),
        ):
            with pytest.raises(error, match=said):
                client.import_runs(json.dumps({**renamed, **change}))
        strange = json.loads(json.dumps(renamed))
        strange["tables"]["inputs"][0]["colour"] = "red"
        with pytest.raises(StoreRefusedError, match="no column colour"):
            client.import_runs(json.dumps(strange))
        with pytest.raises(UsageError, match="is no JSON"):
            client.import_runs('{"format"')
        broken = json.loads(json.dumps(renamed))
        broken["tables"]["runs"][0]["attempts"] = -1
        with pytest.raises(StoreRefusedError):
            client.import_runs(json.dumps(broken))
        with pytest.raises(perdure.RunNotFoundError):
            client.handle("other")
        lines = json.dumps(document) + "\n" + json.dumps(renamed) + "\n" + json.dumps(renamed)[:40]
        assert client.import_runs(lines, run_id="other") == ["other"]
        assert client.handle("other").result(5) == 8
        with pytest.raises(perdure.RunNotFoundError):
            client.export_run("nobody")


@pytest.mark.parametrize("kind", KINDS)
def test_a_database_is_moved_with_what_is_in_flight(
    store_url: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """All of it is there, and the first database takes nothing any more."""
    parked(store_url, 3, 4)
    with another(request, tmp_path, kind) as url, moved_back(store_url):
        with Client(store_url) as client:
            client.queues.set(limited, concurrency=3)
            moved = client.move_to(url)
            assert moved["runs"] == 5
            with pytest.raises(perdure.StoreError):
                client.submit(double, 1)
        with pytest.raises(perdure.UnsupportedStoreError, match="moved to another database"):
            perdure.Perdure(store_url).launch()
        assert go_on(url, 4) == [8, 16, "hook-4", "went"]
        with Client(url) as there:
            assert there.handle("ended").result(5) == 8
            [limits] = [queue.limits for queue in there.queues.list() if queue.name == limited.name]
            assert limits is not None
            assert limits.concurrency == 3


@contextmanager
def moved_back(url: str) -> Iterator[None]:
    """Afterwards the server's database, which all tests share, is not closed any more."""
    try:
        yield
    finally:
        if "postgresql" in url:
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("DROP FUNCTION IF EXISTS perdure.refuse_moved CASCADE")
                connection.execute("DELETE FROM perdure.migrations WHERE version = 1000000")


def test_nothing_is_moved_while_somebody_works_or_where_ids_meet(store_url: str, tmp_path: Path) -> None:
    """Said before anything is changed; and what is refused can be done later."""
    other = str(tmp_path / "other.db")
    parked(store_url, 3)
    with perdure.running(store_url), Client(store_url) as client, pytest.raises(StoreRefusedError, match="works on it"):
        client.move_to(other)
    with perdure.running(other) as there:
        perdure.with_options(id="ended").start(double, 1).result(30)
        with Client(store_url) as client, pytest.raises(UsageError, match="works on"):
            client.move_to(other)
    assert not there.is_launched
    with Client(store_url) as client, pytest.raises(UsageError, match="run ended is there already"):
        client.move_to(other)
    assert go_on(store_url, 3)[0] == 6


def test_a_move_that_died_before_it_closed_the_source_is_ended(tmp_path: Path) -> None:
    """The copy is whole, or not there; who moves again closes what was copied."""
    source, other = str(tmp_path / "source.db"), str(tmp_path / "other.db")
    parked(source, 3)
    with Client(source) as client:
        document = [json.dumps(client.export_run(run_id, children=True)) for run_id in ("waits-3", "ended")]
        with Client(other) as there:
            there.import_runs("\n".join(document))
        assert client.move_to(other)["runs"] == 3
    with pytest.raises(perdure.UnsupportedStoreError, match="moved"):
        perdure.Perdure(source).launch()
