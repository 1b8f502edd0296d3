"""Entries as rows of parameters, in the order in which the statements name them (a test compares).

Written out by hand: this is the hot path, and a tuple display is the cheapest row there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from ..._entries import RunCreated, RunFinished, RunParked, RunReleased, StepRecorded, Stored
from ...typing import RunState
from .connections import Row


def texts(values: Iterable[str]) -> str:
    """A list of strings as one parameter."""
    return json.dumps(list(values))


def created(e: RunCreated, worker_id: str) -> Row:
    """For `create_runs`."""
    held_as = e.held_as
    state, due_at, holder, attempts = ("ready", e.due_at, None, 0) if held_as is None else ("held", None, worker_id, 1)
    # fmt: off
    return (e.run_id, e.kind, e.name, e.queue, state, e.priority, due_at, held_as, holder, held_as, attempts,
            e.max_attempts, e.entry_id, e.parent_id, e.parent_key, e.fingerprint)
    # fmt: on


def input_of(e: RunCreated) -> Row:
    """For `write_inputs`."""
    return (e.run_id, e.input.codec, e.input.text)


def lived(e: RunCreated, end: RunFinished) -> Row:
    """For `create_lived_runs`."""
    # fmt: off
    return (e.run_id, e.kind, e.name, e.queue, end.state, e.priority, e.max_attempts, e.entry_id, e.held_as,
            e.fingerprint, end.reason)
    # fmt: on


def recorded(e: StepRecorded) -> Row:
    """For `record_checkpoints`."""
    outcome = e.outcome
    # fmt: off
    return (e.run_id, e.key, e.claim, e.entry_id, e.position, e.kind, e.name, e.fingerprint, e.is_error, outcome.codec,
            outcome.text, e.attempts, e.started_at)
    # fmt: on


def recorded_alone(e: StepRecorded, worker_id: str) -> Row:
    """For `record_lone_checkpoint`."""
    outcome = e.outcome
    # fmt: off
    return (e.key, e.entry_id, e.position, e.kind, e.name, e.fingerprint, e.is_error, outcome.codec, outcome.text,
            e.attempts, e.started_at, e.run_id, e.claim, worker_id)
    # fmt: on


def finished(e: RunFinished, state: RunState, worker_id: str) -> Row:
    """For `finish_runs`."""
    return (state, e.reason, e.run_id, e.claim, worker_id)


def output_of(e: RunFinished, output: Stored) -> Row:
    """For `write_outputs`."""
    return (e.run_id, output.codec, output.text)


def parked(e: RunParked, worker_id: str) -> Row:
    """For `park_runs`."""
    waits_for = texts(e.waits_for) if e.waits_for else None
    return (e.due_at, e.children_seen, waits_for, e.needs_mend, e.reason, e.run_id, e.claim, worker_id)


def released(e: RunReleased, worker_id: str) -> Row:
    """For `release_runs`."""
    return (0 if e.charged else 1, e.reason, e.run_id, e.claim, worker_id)
