"""Entries as parameters: those of one kind are one JSON text, which their statement takes apart; and rows in order.

One statement for all of them, as on Postgres. Python's driver gives the interpreter's lock away twice for every row of
`executemany`, and beside one busy thread waits 5 ms to have it back each time: a second for a batch of a hundred.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from ..._entries import Entry, StepRecorded
from ...errors import StoreRefusedError
from ..kinds.lives import Life
from .connections import Row

_encode = msgspec.json.Encoder().encode


def texts(values: Iterable[str]) -> str:
    """A list of strings as one parameter."""
    return json.dumps(list(values))


@lru_cache(maxsize=8)
def texts_of_names(names: tuple[str, ...]) -> str:
    """The same of names that are asked for again and again: a process may know thousands of functions."""
    return texts(names)


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Rows by the number at their beginning, without it: those that come packed come in any order."""
    return [row[1:] for row in sorted(rows, key=lambda row: row[0])]


def section(entries: Sequence[Entry | Life | str]) -> str:
    """Entries of one kind as one parameter."""
    try:
        return _encode(entries).decode()
    except UnicodeError as error:
        raise StoreRefusedError(f"a text of the batch has no UTF-8 form: {error}") from error


def recorded_alone(e: StepRecorded, worker_id: str) -> Row:
    """For `record_lone_checkpoint`, by hand: a tuple display is the cheapest row there is."""
    outcome = e.outcome
    # fmt: off
    return (e.key, e.entry_id, e.position, e.kind, e.name, e.fingerprint, e.is_error, outcome.codec, outcome.text,
            e.attempts, e.started_at, e.arguments, e.run_id, e.claim, worker_id)
    # fmt: on
