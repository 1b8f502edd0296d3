"""Runs that only other code can go on with: they wait until a worker comes that has it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from ..typing import RunId


class Mending(Protocol):
    """Of a store; from any thread. Errors as of a store."""

    def mend(self, names: Collection[str]) -> list[RunId]:
        """Make runs of these functions that were stopped for a mend ready again."""

    def reconsider(self, worker_id: str, queues: Collection[str], names: Collection[str]) -> int:
        """What versions of the code have refused: where none of its workers is left, it waits for a mend; where this
        worker has another version, knows the function and serves the queue, it is ready. How many became ready.
        """

    def explain_unknown(self, queues: Collection[str], names: Collection[str], reason: str) -> None:
        """Write `reason` on the first ready runs of these queues whose function is none of `names`, a hundred of each
        function, where they have none yet.
        """
