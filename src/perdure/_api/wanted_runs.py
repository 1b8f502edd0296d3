"""Which runs are asked for, as people say it: checked where it is given, and brought into the store's form."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict, cast, get_args

from .._core.definitions import find_definition
from .._core.given import LONGEST_NAME, text_name
from ..errors import UsageError
from ..stores.finding import Wanted
from ..typing import DEFAULT_QUEUE, RunId, RunState
from .attributes import Attribute, given_attributes
from .handle import Handle
from .queue import Queue

UNFINISHED: Final[tuple[RunState, ...]] = ("ready", "held", "parked")
"""What an end can still be asked for."""


class RunFilter(TypedDict, total=False):
    """Which runs; see `perdure.runs.list`."""

    status: RunState | Iterable[RunState] | None
    workflow: Callable[..., Any] | str | None
    queue: Queue | str | None
    since: datetime | timedelta | None
    until: datetime | timedelta | None
    parent: Handle[Any] | RunId | None
    id_prefix: str | None
    attributes: Mapping[str, Attribute] | None
    text: str | None


def wanted_of(given: RunFilter) -> Wanted:
    """The filter, checked. Raises `UsageError` for what cannot be."""
    unknown = [name for name in given if name not in RunFilter.__annotations__]
    if unknown:
        raise UsageError(f"runs are not found by {', '.join(unknown)}, but by {', '.join(RunFilter.__annotations__)}")
    since, until = moment_of(given.get("since"), "since"), moment_of(given.get("until"), "until")
    if since is not None and until is not None and since > until:
        raise UsageError(f"since={given['since']!r} is after until={given['until']!r}")
    parent, queue = given.get("parent"), given.get("queue")
    return Wanted(
        states=states_of(given.get("status")),
        name=name_of(given.get("workflow")),
        queue=None if queue is None else queue_name(queue),
        parent_id=parent.run_id if isinstance(parent, Handle) else optional(parent, "parent"),
        since=since,
        until=until,
        id_prefix=optional(given.get("id_prefix"), "id_prefix"),
        attributes={} if (asked := given.get("attributes")) is None else given_attributes(asked),
        text=text_of(given.get("text")),
    )


def states_of(given: object) -> tuple[RunState, ...] | None:
    """One or several states."""
    if given is None:
        return None
    states = (given,) if isinstance(given, str) else tuple(given) if isinstance(given, Iterable) else (given,)
    known = get_args(RunState)
    if not states or any(state not in known for state in states):
        raise UsageError(f"status={given!r}: give one of {', '.join(known)}, or several of them")
    return cast("tuple[RunState, ...]", states)


def name_of(given: object) -> str | None:
    """A workflow's or step's name, given as the function or as text."""
    if given is None:
        return None
    if isinstance(given, str):
        return text_name(given, "workflow")
    definition = find_definition(given)
    if definition is None:
        raise UsageError(f"workflow={given!r}: give a function with @workflow or @step, or its name")
    return definition.name


def queue_name(given: object) -> str:
    """A queue's name, given as the queue or as text. Empty: runs that were started, not submitted."""
    if isinstance(given, Queue):
        return given.name
    return DEFAULT_QUEUE if given == DEFAULT_QUEUE else text_name(given, "queue")  # type: ignore[arg-type]  # it checks


def moment_of(given: object, what: str) -> float | None:
    """A moment, in seconds since the epoch: a time with its zone, or so long ago."""
    if given is None:
        return None
    if isinstance(given, timedelta):
        return max(0.0, time.time() - given.total_seconds())
    if isinstance(given, datetime) and given.tzinfo is not None:
        return max(0.0, given.timestamp())
    raise UsageError(
        f"{what}={given!r}: give a datetime with a time zone, such as datetime.now(UTC), or a timedelta for so long ago"
    )


def optional(given: object, what: str) -> str | None:
    """A text, if there is one."""
    return None if given is None else text_name(given, what)  # type: ignore[arg-type]  # it checks


def text_of(given: object) -> str | None:
    """What to look for in values."""
    if given is None:
        return None
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_NAME or "\0" in given:
        raise UsageError(f"text={given!r}: give a text of 1 to {LONGEST_NAME} characters")
    return given
