"""The end of a user's own transaction (protocol rules 9 and 15): what his connection asks, and what the answers say.

They are generators that yield a statement and are sent its rows, for the connection may be sync or async.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any, Literal, NamedTuple, Protocol

from .._entries import StepRecorded
from ..typing import RunId


class Statement(NamedTuple):
    """One for somebody else's connection; its parameters are written as the database's driver wants them by name."""

    text: str
    parameters: Mapping[str, object]


DatabaseKind = Literal["postgres", "sqlite"]
"""What a connection must reach, to be of use to a store at all."""

TailVerdict = Literal["made", "recorded", "gone", "fenced"]
"""What has become of a checkpoint at the end of a user's transaction. All but the first: it must not be committed."""


class Tail(Protocol):
    """The end of a user's own transaction (rules 9 and 15): its statements, for the user's connection to ask."""

    kind: DatabaseKind
    """Of what kind a connection's database must be, to be this one."""
    is_exclusive: bool
    """Whether nobody else can write to the database while the transaction is open."""

    def is_here(self, worker_id: str) -> Generator[Statement, list[Any], bool]:
        """Whether the connection reaches this database, in which the worker works."""

    def record(self, worker_id: str, entry: StepRecorded) -> Generator[Statement, list[Any], TailVerdict]:
        """The fence, the claim and the checkpoint: the last statements before COMMIT."""

    def was_recorded(self, run_id: RunId, key: str) -> bool:
        """After a COMMIT whose outcome is unknown: whether it has happened. Waits until it has, or never will."""
