"""Runs whose whole life, from creation to end, falls into one batch: each is written as a single row that is over."""

from __future__ import annotations

from collections.abc import Iterable

from .._entries import RunCreated, RunFinished, RunParked, RunReleased, StepRecorded


def lives_in(
    created: Iterable[RunCreated],
    recorded: Iterable[StepRecorded],
    ended: Iterable[RunFinished | RunParked | RunReleased],
) -> dict[str, tuple[RunCreated, RunFinished]]:
    """Creation and end by claim: of runs from outside, which record nothing and make no other run in between."""
    ends = {entry.claim: entry for entry in ended if isinstance(entry, RunFinished)}
    for used in recorded:
        ends.pop(used.claim, None)
    found: dict[str, tuple[RunCreated, RunFinished]] = {}
    for entry in created:
        if entry.claim is not None:
            ends.pop(entry.claim, None)
            found.pop(entry.claim, None)
        elif entry.held_as is not None and (end := ends.get(entry.held_as)) is not None:
            found[entry.held_as] = (entry, end)
    return found
