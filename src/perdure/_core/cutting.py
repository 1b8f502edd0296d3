"""Which of what a run has recorded stays when it is started anew from some point: a function of its records.

The records of a run are in the order in which it made them. A beginning of that order is what a crash at that moment
would have left, and so a history that every replay knows to go on from: what goes is all from some record on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from .._steering import Record
from .flows.saves import SAVED
from .marks import MARK, call_of_mark_key
from .run import UNDO

HIDDEN: Final = frozenset({"order", "undo", "saved"})
"""Kinds of records that no call of the program is named by."""


class Cut(Struct):
    """What becomes of a run's records."""

    kept: list[str]
    """The keys of those that stay, in their order."""
    dropped: list[str]
    order: dict[str, str]
    """Of the rows of the order log that stay in part: what is left of each."""
    dropped_children: list[tuple[str, str]]
    """The calls of children that go: their keys, and the runs."""
    since: int | None
    """The first record that goes by its place, and not as a note of a call: what lies behind it goes, too."""


def in_order(records: Iterable[Record]) -> list[Record]:
    """The records as the run made them: its claims followed each other, and each numbers its entries."""
    listed = list(records)
    began: dict[str, int] = {}
    for record in listed:
        began[record.claim] = min(record.seq, began.get(record.claim, record.seq))
    return sorted(listed, key=lambda record: (began[record.claim], number_of(record), record.seq))


def number_of(record: Record) -> int:
    """Its entry's number in its claim."""
    number = record.entry_id.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def cut(ordered: Sequence[Record], start: int) -> Cut:
    """Everything goes from the record at `start` on: also deliveries that came after one that goes, and what calls
    without an outcome have noted of their attempts, which begin anew.
    """
    limit = min((first_position(record) for record in ordered[start:]), default=None, key=nothing_last)
    kept, dropped, order = list[Record](), list[Record](), dict[str, str]()
    for place, record in enumerate(ordered):
        is_late = limit is not None and record.position is not None and record.position >= limit
        if place >= start or is_late:
            dropped.append(record)
        elif record.kind == "order" and limit is not None:
            left = deliveries_before(record, limit)
            if left is None:
                dropped.append(record)
            else:
                kept.append(record)
                if left != record.outcome.text:
                    order[record.key] = left
        else:
            kept.append(record)
    gone = {record.key for record in dropped}
    answered = {record.key for record in kept}
    stays = [record for record in kept if not goes_with_its_call(record, gone, answered)]
    stay = {record.key for record in stays}
    return Cut(
        [record.key for record in stays],
        [record.key for record in ordered if record.key not in stay],
        order,
        [(record.key, json.loads(record.outcome.text)) for record in dropped if record.kind == "child"],
        min((record.seq for record in dropped), default=None),
    )


def goes_with_its_call(record: Record, gone: set[str], answered: set[str]) -> bool:
    """Whether it is a note of a call that goes, or of attempts that did not lead to an outcome."""
    if record.kind == "undo" and record.key.endswith(UNDO):
        return record.key.removesuffix(UNDO) in gone
    if record.kind == "saved":
        return record.key.removesuffix(SAVED) in gone
    call = call_of_mark_key(record.key, record.kind)
    if call is None:
        return False
    return call in gone or (not record.key.endswith(MARK) and call not in answered)


def first_position(record: Record) -> int | None:
    """The first delivery that the record tells of."""
    if record.kind == "order":
        return int(json.loads(record.outcome.text)[0])
    return record.position


def nothing_last(position: int | None) -> float:
    """Of records that are no deliveries there is no first."""
    return float("inf") if position is None else position


def deliveries_before(record: Record, limit: int) -> str | None:
    """What is left of a row of the order log; None: nothing."""
    first, *keys = json.loads(record.outcome.text)
    left: list[Any] = keys[: max(0, limit - first)]
    return json.dumps([first, *left]) if left else None


def named(ordered: Sequence[Record], step: str) -> list[int]:
    """The places of the records that `step` means: the one of this key, or all of calls of that name, which may be
    given without its module.
    """
    shown = [(place, record) for place, record in enumerate(ordered) if is_call(record)]
    by_key = [place for place, record in shown if record.key == step]
    return by_key or [place for place, record in shown if step in (record.name, record.name.rpartition(":")[2])]


def is_call(record: Record) -> bool:
    """Whether a call of the program is recorded by it."""
    return record.kind not in HIDDEN and call_of_mark_key(record.key, record.kind) is None


def first_undo(ordered: Sequence[Record]) -> int | None:
    """The place of the first effect that is, or was, to be undone."""
    return next((place for place, record in enumerate(ordered) if record.kind == "undo" and not record.is_error), None)


def first_since(ordered: Sequence[Record], moment: float) -> int:
    """The place of the first record that was made at that time or later."""
    return next((place for place, record in enumerate(ordered) if record.recorded_at >= moment), len(ordered))
