"""Let a run live in one launch after another of this process, with other code in each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import perdure
from perdure.stores.open import open_store
from perdure.stores.protocol import RunRow

RUN_ID = "r"
PATIENCE_SECONDS = 20.0


@contextmanager
def launched(url: str, **changes: Any) -> Iterator[perdure.Perdure]:
    """A launch with short times."""
    settings = {"poll_seconds": 0.05, "replay_patience_seconds": 0.3, "shutdown_seconds": 0.05, **changes}
    with perdure.running(url, **settings) as app:
        yield app


def begin(function: Callable[..., Any], *args: Any) -> perdure.Handle[Any]:
    """Start the test's run."""
    return perdure.with_options(id=RUN_ID).start(function, *args)


def wait_until(holds: Callable[[], bool]) -> None:
    """Look until it holds; for what the database says and nobody tells."""
    give_up_at, pause = time.monotonic() + PATIENCE_SECONDS, threading.Event()
    while not holds():
        assert time.monotonic() < give_up_at, "it does not come to that"
        pause.wait(0.01)


def look(url: str, run_id: str = RUN_ID) -> RunRow:
    """What the database says of the run."""
    store = open_store(url)
    try:
        row = store.runs.row(run_id)
    finally:
        store.close()
    assert row is not None
    return row


def wait_until_parked(url: str) -> RunRow:
    """The run, once it is parked."""
    wait_until(lambda: look(url).state == "parked")
    return look(url)


def recorded_names(url: str) -> dict[str, str]:
    """Key -> name of all that is recorded, the order apart."""
    store = open_store(url)
    try:
        return {row.key: row.name.rpartition(":")[2] for row in store.runs.checkpoints(RUN_ID) if row.kind != "order"}
    finally:
        store.close()
