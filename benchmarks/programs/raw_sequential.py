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

WARM_UP = 50
KEY, ENTRY = "key-to-replace", "entry-to-replace"
LEASE_SECONDS = 3_600.0


class Recorder:
    """Stands before a cursor and takes down what passes."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.calls: list[tuple[str, str, Any]] = []

    def execute(self, text: str, parameters: Any = ()) -> Any:
        self.calls.append(("execute", text, parameters))
        return self._cursor.execute(text, parameters)

    def executemany(self, text: str, rows: Any) -> Any:
        self.calls.append(("executemany", text, rows))
        return self._cursor.executemany(text, rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


def renewed(value: Any, number: int) -> Any:
    """The parameters with another key and entry id."""
    if isinstance(value, str):
        return value.replace(KEY, str(number)).replace(ENTRY, f"entry-{number}")
    if isinstance(value, dict):
        return {name: renewed(part, number) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(renewed(part, number) for part in value)
    return value


def take_down(store: Any, run: str) -> list[tuple[str, str, Any]]:
    """Make a run, hold it, record one step: the statements of that last transaction."""
    worker, claim = str(uuid4()), str(uuid4())
    store.migrate()
    store.join(WorkerRow(worker, "bench", 1), LEASE_SECONDS)
    value = Stored("json", "1")
    store.apply(worker, [RunCreated(run, "workflow", "bench:steps", "f", value, str(uuid4()), held_as=claim)])
    turn = store._database.turn
    recorder = turn._cursor = Recorder(turn._cursor)
    step = StepRecorded(run, claim, ENTRY, KEY, "step", "bench:one", "fingerprint", False, value, started_at=0.0)
    assert store.apply(worker, [step]) == [Accepted()]
    turn._cursor = recorder._cursor
    return recorder.calls


def bare_cursor(order: Order, store: Any) -> Any:
    """A connection of its own with the store's settings."""
    if not order.is_postgres:
        return store._database.connect().cursor()
    import psycopg  # late: the SQLite variant needs none

    return psycopg.connect(order.url, autocommit=True, prepare_threshold=0).cursor()


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
    calls = take_down(store, run)
    prepared = [
        [(method, text, renewed(parameters, number)) for method, text, parameters in calls]
        for number in range(order.count + WARM_UP)
    ]
    cursor = bare_cursor(order, store)
    send(cursor, prepared[:WARM_UP])
    with measured(Tally()) as window:
        send(cursor, prepared[WARM_UP:])
    cursor.close()
    assert len(store.checkpoints(run)) == 1 + WARM_UP + order.count, "some were refused"
    store.close()
    answer(window, order.count)
