"""The options of a start: checked where they are given, and sent where they belong where they are given elsewhere."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypedDict

from .._core.definitions import Definition
from .._core.given import LEAST_INTEGER, flag, moment_of, one_of, seconds_of, text_name, whole_number
from .._entries import RunCreated, RunDebounced
from ..errors import UsageError
from ..typing import DEFAULT_QUEUE, RunId, Seconds
from .attributes import Attribute, given_attributes


class RunOptions(TypedDict, total=False):
    """How a run is to be started; see `perdure.with_options`."""

    id: RunId | None
    on_existing: Literal["return", "refuse", "retry", "restart"]
    delay: Seconds | None
    at: datetime | None
    priority: int
    attributes: Mapping[str, Attribute]
    timeout: Seconds | None
    deadline: datetime | None
    detached: bool
    connection: Any
    dedup: str | None
    on_duplicate: Literal["reject", "return_existing"]
    dedup_until: Literal["end", "start"]
    key: str | None
    debounce: Seconds | None
    debounce_longest: Seconds | None


@dataclass(frozen=True, slots=True)
class Submission:
    """The same, checked, and the queue."""

    id: RunId | None = None
    delay: float | None = None
    priority: int = 0
    queue: str = DEFAULT_QUEUE
    due_at: float | None = None
    attributes: Mapping[str, str] | None = None
    timeout: float | None = None
    deadline: float | None = None
    is_detached: bool = False
    dedup: str | None = None
    shares_duplicates: bool = False
    dedup_until_start: bool | None = None
    connection: Any = None
    key: str | None = None
    debounce: float | None = None
    debounce_longest: float | None = None
    on_existing: str = "return"

    @property
    def entry_type(self) -> type[RunCreated]:
        """What the run is made by."""
        return RunCreated if self.debounce is None else RunDebounced

    def addressed(self, entry: RunCreated) -> RunCreated:
        """The entry with all of this but the id."""
        entry.queue, entry.priority = self.queue, self.priority
        entry.due_at, entry.delay_seconds = self.due_at, self.delay
        entry.deadline_at, entry.timeout_seconds = self.deadline, self.timeout
        entry.attributes = self.given_attributes()
        entry.dedup_key, entry.dedup_until_start = self.dedup, self.dedup_until_start
        entry.flow_key = self.key
        if isinstance(entry, RunDebounced) and self.debounce is not None:
            entry.debounce_seconds, entry.longest_seconds = self.debounce, self.debounce_longest
        return entry

    @property
    def asks_first(self) -> bool:
        """Whether another run may stand for the one that is to be made: then the answer is the database's."""
        return self.id is not None or self.dedup is not None

    def given_attributes(self) -> dict[str, str] | None:
        """By what people find the run, if anything was given."""
        return None if self.attributes is None else dict(self.attributes)

    @property
    def starter(self) -> str:
        """What options of this start belong to, for errors."""
        return "queue.with_options" if self.queue else "perdure.with_options"


PLAIN = Submission()

PLACES: Final[Mapping[str, str]] = {
    "queue": "Queue(name).with_options(...).submit(fn, ...)",
    "concurrency": "Queue(name, concurrency=...)",
    "worker_concurrency": "Queue(name, worker_concurrency=...)",
    "rate": "Queue(name, rate=...)",
    "key_concurrency": "Queue(name, key_concurrency=...)",
    "key_rate": "Queue(name, key_rate=...)",
    "on_overflow": "Queue(name, on_overflow=...)",
    "retries": "@step(retries=...)",
    "at_most_once": "@step(at_most_once=...)",
    "reconcile": "@step(reconcile=...)",
    "undo": "@step(undo=...)",
    "name": "@step(name=...) or @workflow(name=...)",
    "max_attempts": "@step(max_attempts=...) or @workflow(max_attempts=...)",
}
"""Where options belong that are none of a start."""


def _id_of(given: str) -> RunId:
    """An id of the caller's. Not that of an undoer: where it was taken, nothing would undo what the other run does."""
    if re.search(r":undo(:\d+)?$", text_name(given, "id")):
        raise UsageError(f"id={given!r}: an id that ends so is that of the run which undoes what another one has done")
    return given


def submission_of(options: RunOptions, queue: str = DEFAULT_QUEUE) -> Submission:
    """The options, checked. Raises `UsageError` for a value that cannot be, and for a name that belongs elsewhere."""
    unknown = [name for name in options if name not in RunOptions.__annotations__]
    if unknown:
        known = ", ".join(f"{name}=" for name in RunOptions.__annotations__)
        raise UsageError(f"with_options() has no option {places_of(unknown)}; it has {known}")
    timeout, deadline = options.get("timeout"), options.get("deadline")
    given_id, delay, at = options.get("id"), options.get("delay"), options.get("at")
    if delay is not None and at is not None:
        raise UsageError("with_options: delay= and at= both say when the run begins at the earliest: give one of them")
    if at is not None and deadline is not None and moment_of(deadline, "deadline") <= moment_of(at, "at"):
        raise UsageError(f"with_options: deadline={deadline!r} is not after at={at!r}: the run could never begin")
    key = options.get("key")
    if key is not None and not queue:
        raise UsageError(
            "with_options: key= is whose turn it is in a queue: Queue(name).with_options(key=...).submit(...)"
        )
    debounce, longest = _debounce(options)
    return Submission(
        None if given_id is None else _id_of(given_id),
        None if delay is None else seconds_of(delay, "delay"),
        whole_number(options.get("priority", 0), "priority", least=LEAST_INTEGER),
        queue,
        None if at is None else moment_of(at, "at"),
        given_attributes(options["attributes"]) or None if "attributes" in options else None,
        None if timeout is None else seconds_of(timeout, "timeout", above_zero=True),
        None if deadline is None else moment_of(deadline, "deadline"),
        flag(options.get("detached", False), "detached"),
        *_duplicates(options),
        connection=options.get("connection"),
        key=None if key is None else text_name(key, "key"),
        debounce=debounce,
        debounce_longest=longest,
        on_existing=_on_existing(options),
    )


def _on_existing(options: RunOptions) -> str:
    if "on_existing" in options and options.get("id") is None:
        raise UsageError("with_options: on_existing= says what becomes of a run that has the id already: give id=")
    if options.get("on_existing", "return") != "return" and options.get("connection") is not None:
        raise UsageError("with_options: on_existing= is decided after a commit, and connection= leaves that to you")
    return one_of(options.get("on_existing", "return"), "on_existing", ("return", "refuse", "retry", "restart"))


def _duplicates(options: RunOptions) -> tuple[str | None, bool, bool | None]:
    given = options.get("dedup")
    key = None if given is None else text_name(given, "dedup")
    shares = one_of(options.get("on_duplicate", "reject"), "on_duplicate", ("reject", "return_existing"))
    until = one_of(options.get("dedup_until", "end"), "dedup_until", ("end", "start"))
    if key is None and (lost := [name for name in ("on_duplicate", "dedup_until") if name in options]):
        raise UsageError(
            f"with_options: {lost[0]}= says something of duplicates, and dedup= says what they are: give it"
        )
    is_until_start = until == "start" or options.get("debounce") is not None
    return key, shares == "return_existing", (is_until_start or None) if key is not None else None


BESIDE_DEBOUNCE: Final = ("id", "delay", "at", "attributes", "on_duplicate", "dedup_until", "connection")
"""What a run that others may join cannot be given by each of them."""


def _debounce(options: RunOptions) -> tuple[float | None, float | None]:
    seconds, longest = options.get("debounce"), options.get("debounce_longest")
    if seconds is None:
        if longest is not None:
            raise UsageError("with_options: debounce_longest= is the limit of debounce=: give that too")
        return None, None
    if options.get("dedup") is None:
        raise UsageError("with_options: debounce= waits until nobody asks again, and dedup= says for what: give it")
    if beside := [name for name in BESIDE_DEBOUNCE if options.get(name) is not None]:
        raise UsageError(f"with_options: {beside[0]}= cannot be given with debounce=, whose run is that of all who ask")
    return seconds_of(seconds, "debounce"), None if longest is None else seconds_of(longest, "debounce_longest")


def places_of(names: Collection[str]) -> str:
    """The names, each with the place where it belongs, if it does anywhere."""
    return ", ".join(f"{name}= (it belongs to {PLACES[name]})" if name in PLACES else f"{name}=" for name in names)


def explain_misplaced(
    definition: Definition, keywords: Mapping[str, Any], submission: Submission, error: TypeError
) -> None:
    """Raise `UsageError` where options were given among the function's own arguments, which then do not fit it."""
    foreign = [name for name in keywords if name not in definition.signature.parameters]
    options = [name for name in foreign if name in RunOptions.__annotations__]
    if options:
        given = ", ".join(f"{name}=..." for name in options)
        verb = "submit" if submission.queue else "start"
        raise UsageError(
            f"{definition.qualname}() has no parameter {' or '.join(options)}: options of the run are given apart from "
            f"its arguments: {submission.starter}({given}).{verb}({definition.function.__name__}, ...)"
        ) from error
    if foreign and all(name in PLACES for name in foreign):
        raise UsageError(f"{definition.qualname}() has no parameter {places_of(foreign)}") from error
