"""A queue with limits, and how the tests of it say what they do."""

from __future__ import annotations

from typing import Any

from perdure.stores.protocol import Claimed, ClaimRequest, Store
from tests.stores.entries import WORK, created, fresh_claims

QUEUE = "limited"


def ask(store: Store, worker: str, slots: int = 10, *, resuming: list[str] | None = None) -> Claimed:
    """A claim of the queue that has limits."""
    request = ClaimRequest({QUEUE: slots}, [WORK], resuming={QUEUE: resuming or []})
    return store.claim(worker, request, fresh_claims(slots))


def ids(claimed: Claimed) -> list[str]:
    """What was taken."""
    return [run.run_id for run in claimed.runs]


def limit(store: Store, **changes: Any) -> None:
    """Set limits."""
    assert store.limits.set(QUEUE, changes, is_known=True)


def fill(store: Store, *run_ids: str, **changes: Any) -> None:
    """Put runs on the queue."""
    store.create([created(run_id, queue=QUEUE, **changes) for run_id in run_ids])


def started(store: Store, run_id: str) -> float:
    """When the run began."""
    run = store.runs.row(run_id)
    assert run is not None
    assert run.started_at is not None
    return run.started_at
