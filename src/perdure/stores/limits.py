"""What is set for queues and functions: their limits, and whether they are paused. Each change is one transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Overflow = Literal["wait", "cancel_running", "cancel_newest"]
"""What becomes of runs for which a queue has no room: they wait; older ones are cancelled for them; or they are."""

Changes = Mapping[str, Any]
"""What is to be set: a number or None for `worker_concurrency`, `concurrency` and `key_concurrency`; a number with its
seconds or None for `rate` and `key_rate`; `on_overflow`; `paused`.
"""


@dataclass(slots=True, frozen=True)
class QueueRow:
    """What was set for a queue; None where nothing was."""

    name: str
    worker_concurrency: int | None = None
    concurrency: int | None = None
    rate: int | None = None
    period_seconds: float | None = None
    key_concurrency: int | None = None
    key_rate: int | None = None
    key_period_seconds: float | None = None
    on_overflow: Overflow = "wait"
    paused_at: float | None = None
    is_keyed: bool = False


@dataclass(slots=True, frozen=True)
class SetLimits:
    """What a worker has to know of a queue for which something was set: its own limit, if that was; and whether nothing
    may begin past a claim. `changed_at`: when something was set last, by the database's clock; what was taken away and
    set again in between is seen by that alone.
    """

    worker_concurrency: int | None
    is_shared: bool
    changed_at: float


class Limits(Protocol):
    """A store's own; from any thread. Errors as of a store."""

    def rows(self, names: Collection[str] | None = None) -> list[QueueRow]:
        """What was set, for all queues for which anything was or for these, by name; one statement."""

    def set(self, name: str, changes: Changes, *, is_known: bool) -> bool:
        """Set it; for what is not named nothing changes. False, and nothing is set, where the queue is not known to the
        caller, and nobody serves it or has used it.
        """

    def declare(self, name: str, declaration: Changes) -> None:
        """Set what is another value than the same program, or one before it, has declared last: so the last change of
        each counts, whoever has made it. A declaration that is empty, of a queue for which nothing was set, writes
        nothing.
        """

    def pause(self, function: str, *, is_paused: bool) -> None:
        """Runs of this function begin no more, or again."""

    def paused(self) -> list[tuple[str, float]]:
        """The functions that are paused, each with since when."""

    def heal(self, name: str, after_key: str) -> str | None:
        """Stir what waits under its key and is in no line, should a stir have been lost: the thousand keys after this
        one. Where to go on; None: these were the last. Forgets the starts that no window of a key looks at any more.
        """
