"""Runs whose whole life, from creation to end, falls into one batch: each is written as a single row that is over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from ..._entries import RunCreated, RunFinished, RunParked, RunReleased, Stored
from ...typing import RunId, RunState


class Life(Struct, gc=False):
    """One of them: what its creation says, and its end."""

    run_id: RunId
    kind: str
    name: str
    fingerprint: str
    input: Stored
    entry_id: str
    held_as: str | None
    queue: str
    priority: int
    max_attempts: int
    state: RunState
    output: Stored | None
    reason: str | None


def lives_in(
    created: Iterable[RunCreated],
    others: Iterable[Any],
    ended: Iterable[RunFinished | RunParked | RunReleased],
) -> dict[str, Life]:
    """By claim: those of runs from outside, which record nothing, make no other run and send nothing in between, have
    no key and no deadline, and are not cancelled.
    """
    ends = {entry.claim: entry for entry in ended if isinstance(entry, RunFinished) and entry.state != "cancelled"}
    for used in others:
        ends.pop(used.claim, None)
    found: dict[str, Life] = {}
    for entry in created:
        if entry.claim is not None:
            ends.pop(entry.claim, None)
            found.pop(entry.claim, None)
        elif entry.held_as is not None and entry.is_plain and (end := ends.get(entry.held_as)) is not None:
            found[entry.held_as] = _life(entry, end)
    return found


def _life(e: RunCreated, end: RunFinished) -> Life:
    # fmt: off
    return Life(e.run_id, e.kind, e.name, e.fingerprint, e.input, e.entry_id, e.held_as, e.queue, e.priority,
                e.max_attempts, end.state, end.output, end.reason)
    # fmt: on
