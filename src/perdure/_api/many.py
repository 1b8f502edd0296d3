"""Many submissions at once: how many are checked together, and what an error says of those that were made before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, Final, TypeVar

from ..errors import UsageError
from .options import Submission

T = TypeVar("T")

MOST_TOGETHER: Final = 10_000
"""So many are checked before the first of them is made; more would have to be in memory at the same time."""


def in_parts(calls: Iterable[T]) -> Iterator[list[T]]:
    """The calls in order, as many at a time as are checked together."""
    rest = iter(calls)
    while part := list(islice(rest, MOST_TOGETHER)):
        yield part


def calls_of(
    calls: Iterable[Iterable[Any]], submission: Submission
) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """What `submit_many` was given: for each run its arguments by position."""
    if submission.id is not None:
        raise UsageError("submit_many: id= is the id of one run")
    return ((arguments_of(call), {}) for call in calls)


def arguments_of(call: Iterable[Any]) -> tuple[Any, ...]:
    """Those of one run. A text would be taken apart."""
    if isinstance(call, (str, bytes)) or not isinstance(call, Iterable):
        raise UsageError(f"submit_many: give each run's arguments as a tuple, such as ({call!r},)")
    return tuple(call)


@contextmanager
def telling(made: Sequence[object]) -> Iterator[None]:
    """An error says how many runs were made before it."""
    try:
        yield
    except Exception as error:
        if made:
            error.add_note(f"the first {len(made)} runs were made")
        raise
