"""The floor of a step: the very statements with which the store records one step, from one bare connection.

They are taken down once from the store itself, with their parameters. Then they are sent again and again with a new key
and entry id each time: no journal, no workflow, no encoding, nothing of Perdure in between.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from benchmarks.program import Order, Tally, answer, measured, read_order
from perdure._entries import Accepted, RunCreated, StepRecorded, Stored
from perdure.stores.open import open_store
from perdure.stores.protocol import WorkerRow
from perdure.stores.queries import load_queries

WARM_UP = 50
KEY, ENTRY = "key-to-replace", "entry-to-replace"
LEASE_SECONDS = 3_600.0


class Recorder:
    """Stands before a SQLite cursor, or the store's connection to Postgres, and takes down what passes."""

    def __init__(self, watched: Any) -> None:
        self._watched = watched
        self.calls: list[tuple[str, str, Any]] = []

    def execute(self, text: str, parameters: Any = ()) -> Any:
        self.calls.append(("execute", text, parameters))
        return self._watched.execute(text, parameters)

    def executemany(self, text: str, rows: Any) -> Any:
        self.calls.append(("executemany", text, rows))
        return self._watched.executemany(text, rows)

    def call(self, name: str, statements: Any, on_answer: Any) -> Any:
        self.calls.append(("call", name, [tuple(statement) for statement in statements]))
        return self._watched.call(name, statements, on_answer)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._watched, name)


class BareCall:
    """A connection to Postgres that sends the statements in one round trip, without the driver's own cursor."""

    description = None

    def __init__(self, url: str) -> None:
        import psycopg  # late: the SQLite variant needs none

        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute(load_queries("perdure.stores.postgres")["prepare_session"].text.encode())
        self._prepared: set[bytes] = set()

    def call(self, name: str, statements: Any) -> None:
        from perdure.stores.postgres.calls import Call, Statement  # late, as above

        call = Call(self._connection.pgconn, self._prepared.add)
        call.send([Statement(*statement) for statement in statements], lambda name: name not in self._prepared)
        call.wait()
        call.check()

    def close(self) -> None:
        self._connection.close()


def renewed(value: Any, number: int) -> Any:
    """The parameters with another key and entry id."""
    if isinstance(value, str):
        return value.replace(KEY, str(number)).replace(ENTRY, f"entry-{number}")
    if isinstance(value, bytes):
        return renewed(value.decode(), number).encode()
    if isinstance(value, dict):
        return {name: renewed(part, number) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(renewed(part, number) for part in value)
    return value


def take_down(store: Any, run: str, is_postgres: bool) -> list[tuple[str, str, Any]]:
    """Make a run, hold it, record one step: the statements of that last transaction."""
    worker, claim = str(uuid4()), str(uuid4())
    store.migrate()
    store.workers.join(WorkerRow(worker, "bench", 1), LEASE_SECONDS)
    value = Stored("json", "1")
    store.apply(worker, [RunCreated(run, "workflow", "bench:steps", "f", value, str(uuid4()), held_as=claim)])
    database, turn = store._database, store._database.turn
    recorder = Recorder(turn if is_postgres else turn._cursor)
    if is_postgres:
        database.turn = recorder
    else:
        turn._cursor = recorder
    step = StepRecorded(run, claim, ENTRY, KEY, "step", "bench:one", "fingerprint", False, value, started_at=0.0)
    assert store.apply(worker, [step]) == [Accepted()]
    database.turn = turn
    if not is_postgres:
        turn._cursor = recorder._watched
    return recorder.calls


def bare_cursor(order: Order, store: Any) -> Any:
    """A connection of its own with the store's settings."""
    if not order.is_postgres:
        return store._database.connect().cursor()
    return BareCall(order.url)


def send(cursor: Any, transactions: list[list[tuple[str, str, Any]]]) -> None:
    for calls in transactions:
        for method, text, parameters in calls:
            getattr(cursor, method)(text, parameters)
            if cursor.description is not None:
                cursor.fetchall()


if __name__ == "__main__":
    order = read_order()
    store = open_store(order.url)
    run = str(uuid4())
    calls = take_down(store, run, order.is_postgres)
    prepared = [
        [(method, text, renewed(parameters, number)) for method, text, parameters in calls]
        for number in range(order.count + WARM_UP)
    ]
    cursor = bare_cursor(order, store)
    send(cursor, prepared[:WARM_UP])
    with measured(Tally()) as window:
        send(cursor, prepared[WARM_UP:])
    cursor.close()
    assert len(store.runs.checkpoints(run)) == 1 + WARM_UP + order.count, "some were refused"
    store.close()
    answer(window, order.count)
