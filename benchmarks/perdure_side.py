"""How the programs use Perdure: with its defaults, as the README says. Nothing is tuned."""

from __future__ import annotations

from benchmarks.program import Order, Tally
from perdure.app import current_runtime


def tally_of(order: Order) -> Tally:
    """Counts what the launched store sends, if that is asked for. On Postgres each is one round trip and commit;
    on SQLite checkpoints outside a transaction are one.
    """
    tally = Tally()
    if order.is_counted:
        is_open = False

        def note(name: str) -> None:
            tally["statements"] += 1
            nonlocal is_open
            is_open = name == "begin" or (is_open and name != "commit")
            if (
                order.is_postgres
                or name in ("commit", "record_lone_checkpoint")
                or (name == "record_checkpoints" and not is_open)
            ):
                tally["commits"] += 1

        current_runtime().store.on_statement = note  # type: ignore[attr-defined]  # both stores have it
    return tally
