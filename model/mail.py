"""What the models of the mailbox and of pauses share: rows for anybody and for each worker, and what becomes of them.

A row tells that there is something to look at, no more; so more rows than `MOST` make no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from .checker import Move

MOST = 2


class Mail(NamedTuple):
    """So many rows for anybody, for worker 1, for worker 2."""

    anybody: int = 0
    first: int = 0
    second: int = 0

    def told(self, worker: int, rows: int = 1) -> Mail:
        """More for this worker, 0 for anybody; or fewer."""
        counts = [*self]
        counts[worker] = max(0, min(MOST, counts[worker] + rows))
        return Mail(*counts)

    def heard(self, worker: int) -> Mail:
        """Nothing is left for this worker."""
        return self.told(worker, -MOST)

    def returned(self, worker: int) -> Mail:
        """What was for this worker is for anybody."""
        return self.heard(worker).told(0, self[worker])


def readers(state: Any) -> Iterator[tuple[int, Move | None]]:
    """Each worker that has mail, of a `state` with a `run`, its `worker`, the `mail` and who is `gone`; and the move by
    which it gives that back where it does not hold the run.
    """
    for worker in {1, 2} - {state.gone}:
        if not state.mail[worker]:
            continue
        if state.run == "held" and state.worker == worker:
            yield worker, None
        else:
            back = state._replace(mail=state.mail.returned(worker))
            yield worker, Move(f"worker {worker} gives its mail back", back)
