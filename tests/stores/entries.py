"""Short ways to say entries, workers and claims in the tests of the stores."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from perdure._entries import (
    Arrival,
    MessageReceived,
    MessageSent,
    RunCreated,
    RunFinished,
    RunParked,
    RunReleased,
    StepRecorded,
    Stored,
    Verdict,
    Wait,
)
from perdure.errors import StoreUnavailableError
from perdure.stores.protocol import ClaimedRun, ClaimRequest, LastAttempts, Store, WorkerRow

OpenAnother = Callable[[], Store]
"""Opens one more store on the same database, as another process would."""

WORK = "app:work"
EMPTY = Stored("json", "[]")
A_MINUTE = 60.0
W1, W2, W3 = (str(uuid5(NAMESPACE_OID, f"worker {number}")) for number in (1, 2, 3))
C1, C2, C3, C4 = (str(uuid5(NAMESPACE_OID, f"first claims {number}")) for number in (1, 2, 3, 4))

_numbers = itertools.count(1)


def worker(worker_id: str) -> WorkerRow:
    """A process of this machine."""
    return WorkerRow(worker_id, "host", 4711)


def join(store: Store, *worker_ids: str, lease_seconds: float = A_MINUTE) -> None:
    """Give each worker its row."""
    for worker_id in worker_ids:
        store.workers.join(worker(worker_id), lease_seconds)


def named_uuid(name: str) -> str:
    """The same UUID for the same name: workers and claims are kept as UUIDs where the database has the type."""
    return str(uuid5(NAMESPACE_OID, name))


def created(run_id: str, **changes: Any) -> RunCreated:
    """A run of `WORK`, ready unless `held_as` says otherwise."""
    values: dict[str, Any] = {
        "kind": "workflow",
        "name": WORK,
        "fingerprint": "f1",
        "input": Stored("json", f'["{run_id}"]'),
        "entry_id": f"created {run_id}",
    }
    return RunCreated(run_id, **(values | changes))


def child(run_id: str, parent_id: str, claim: str, **changes: Any) -> RunCreated:
    """A run made inside another."""
    return created(run_id, claim=claim, parent_id=parent_id, parent_key=f"key of {run_id}", **changes)


def recorded(run_id: str, claim: str, key: str = "1", **changes: Any) -> StepRecorded:
    """A step's checkpoint."""
    values: dict[str, Any] = {
        "entry_id": f"recorded {key}",
        "key": key,
        "kind": "step",
        "name": "app:fetch",
        "fingerprint": "f2",
        "is_error": False,
        "outcome": Stored("json", f'"outcome of {key}"'),
    }
    return StepRecorded(run_id, claim, **(values | changes))


def finished(run_id: str, claim: str, state: Any = "succeeded", text: str | None = "42") -> RunFinished:
    """A run's end."""
    return RunFinished(run_id, claim, state, None if text is None else Stored("json", text))


def parked(
    run_id: str, claim: str, *, children_seen: int | None = None, runs: Iterable[str] = (), **changes: Any
) -> RunParked:
    """A run that leaves memory; it waits for one more child than it has seen, or for the end of one of these runs."""
    children = () if children_seen is None else (Wait("children", seen=children_seen),)
    return RunParked(run_id, claim, waits_for=(*children, *(Wait("run", other) for other in runs)), **changes)


def sent(run_id: str, message_id: str, claim: str | None = None, **changes: Any) -> MessageSent:
    """A message to the run."""
    values: dict[str, Any] = {"topic": "a", "value": Stored("json", f'"{message_id}"')}
    return MessageSent(run_id, claim, named_uuid(message_id), **(values | changes))


def received(run_id: str, claim: str, message_id: str | None, key: str = "1", **changes: Any) -> MessageReceived:
    """The checkpoint that consumes it; None: none came in time."""
    values: dict[str, Any] = {
        "entry_id": f"received {key}",
        "key": key,
        "kind": "recv",
        "name": "a",
        "fingerprint": "-",
        "is_error": message_id is None,
        "outcome": Stored("json", "null" if message_id is None else f'"{message_id}"'),
    }
    given = None if message_id is None else named_uuid(message_id)
    return MessageReceived(run_id, claim, message_id=given, **(values | changes))


def released(run_id: str, claim: str, **changes: Any) -> RunReleased:
    """A run that goes back."""
    return RunReleased(run_id, claim, **changes)


def fresh_claims(number: int) -> list[str]:
    """Claim ids that nobody had before."""
    return [named_uuid(f"claim {next(_numbers)}") for _ in range(number)]


def claim(
    store: Store,
    worker_id: str,
    slots: int = 10,
    *,
    queue: str = "",
    names: Iterable[str] = (WORK,),
    last_attempts: LastAttempts = "left",
    claims: Sequence[str] = (),
) -> list[ClaimedRun]:
    """Claim from one queue, under these claims or fresh ones."""
    request = ClaimRequest({queue: slots}, list(names), last_attempts)
    return store.claim(worker_id, request, claims or fresh_claims(slots)).runs


def claim_one(store: Store, worker_id: str, run_id: str) -> str:
    """Claim the one run that can be claimed, and return the claim."""
    [run] = claim(store, worker_id)
    assert run.run_id == run_id
    return run.claim


def created_at_last(store: Store, entries: Sequence[RunCreated]) -> list[Verdict]:
    """Where many make the same runs, one may be told to call again: on a loaded machine others come first each time."""
    while True:
        with suppress(StoreUnavailableError):
            return store.create(entries)


def arrived(store: Store, run_id: str, topic: str, most: int = 100) -> list[Arrival]:
    """What waits to be received by the run."""
    [found] = store.runs.arrived([(run_id, topic)], most)
    return found


def state(store: Store, run_id: str) -> str:
    """The run's state."""
    run = store.runs.row(run_id)
    assert run is not None
    return run.state


def cancels_told(store: Store, worker_id: str) -> list[str]:
    """The runs that this worker holds and of which the mailbox tells it that they have a cancel."""
    return sorted({told.run_id for told in store.hear(worker_id, ()).told if told.is_cancelled})
