"""A run in memory, of what makes or claims it: held here, and not begun yet."""

from __future__ import annotations

import time

from ..._core.children import Children
from ..._core.serialization import Serializer
from ..._entries import RunCreated
from ...stores.protocol import ClaimedRun
from ...typing import RunKind
from ..held_run import HeldRun, HostedRun
from ..journal.lanes import Lane


def made_run(entry: RunCreated, claim: str, serializer: Serializer) -> HeldRun:
    """The run that this entry creates, held here from the start."""
    run: HeldRun = HostedRun(
        entry.run_id,
        claim,
        kind=entry.kind,
        name=entry.name,
        queue=entry.queue,
        attempts=1,
        parent_id=entry.parent_id,
        serializer=serializer,
        is_detached=entry.is_detached,
    )
    run.deadline = entry.deadline_at  # what a timeout makes of it the database says, and a claim tells
    run.is_cancelled = is_overdue(run.deadline, time.time())
    run.lane = Lane.of(run)
    return run


def is_overdue(deadline: float | None, now: float) -> bool:
    """Whether it is too late to begin, or to go on: the run ends as a cancelled one, without its code."""
    return deadline is not None and deadline <= now


def claimed_run(claimed: ClaimedRun, kind: RunKind, serializer: Serializer) -> HeldRun:
    """The run that was claimed; `kind` is its function's, for it may have been made by its name alone."""
    run: HeldRun = HostedRun(
        claimed.run_id,
        claimed.claim,
        kind=kind,
        name=claimed.name,
        queue=claimed.queue,
        attempts=claimed.attempts,
        parent_id=claimed.parent_id,
        serializer=serializer,
        deadline=claimed.deadline,
        is_detached=claimed.is_detached,
        rounds=claimed.rounds,
    )
    run.lane = Lane.of(run)
    if not claimed.is_fresh or claimed.rounds:  # it may have some, of earlier claims, and be told of their ends at once
        run.children = Children()
    run.is_cancelled = claimed.is_cancelled or is_overdue(claimed.deadline, claimed.claimed_at)
    run.incarnation = claimed.incarnation
    run.clock_origin = claimed.claimed_at - time.monotonic()
    return run
