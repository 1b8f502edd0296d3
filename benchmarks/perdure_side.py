"""How the programs use Perdure: with its defaults, as the README says. Nothing is tuned."""

from __future__ import annotations

from benchmarks.program import Order, Tally
from perdure._api.app import current_runtime

COMMITTING = ("record_lone_checkpoint", "write_sections", "claim_runs")
"""What is a transaction by itself, where none is open."""


class Commits:
    """Which of the statements that a store names are commits."""

    def __init__(self) -> None:
        self._is_open = False

    def count(self, name: str) -> bool:
        """Whether this one, the next, is a commit."""
        was_open, self._is_open = self._is_open, name == "begin" or (self._is_open and name != "commit")
        return name == "commit" or (name in COMMITTING and not was_open)


def tally_of(order: Order) -> Tally:
    """Counts what the launched store sends, if that is asked for. On Postgres each is one round trip and commit."""
    tally = Tally()
    if order.is_counted:
        commits = Commits()

        def note(name: str) -> None:
            tally["statements"] += 1
            tally["commits"] += order.is_postgres or commits.count(name)

        current_runtime().store.on_statement = note  # type: ignore[attr-defined]  # both stores have it
    return tally
