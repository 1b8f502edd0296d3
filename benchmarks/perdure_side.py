"""How the programs use Perdure: with its defaults, as the README says. Nothing is tuned."""

from __future__ import annotations

from benchmarks.program import Order, Tally
from perdure.app import current_runtime


def tally_of(order: Order) -> Tally:
    """Counts what the launched store sends, if that is asked for. On Postgres each is one round trip and commit."""
    tally = Tally()
    if order.is_counted:

        def note(name: str) -> None:
            tally["statements"] += 1
            if order.is_postgres or name in ("commit", "record_lone_checkpoint"):
                tally["commits"] += 1

        current_runtime().store.on_statement = note  # type: ignore[attr-defined]  # both stores have it
    return tally
