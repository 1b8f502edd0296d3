"""DBOS: importing it, and launching on a fresh file or schema."""

from __future__ import annotations

from benchmarks.program import Tally, Window, answer, measured, read_order


def import_and_launch(url: str, variant: str) -> Window:
    with measured(Tally()) as importing:
        # inside the measured window on purpose
        from dbos import DBOS
    with measured(Tally()) as launching:
        DBOS(config={"name": "bench", "system_database_url": url, "log_level": "ERROR"})
        DBOS.launch()
    return importing if variant == "import" else launching


if __name__ == "__main__":
    order = read_order()
    answer(import_and_launch(order.url, order.variant), 1)
    # late, as it imports DBOS, which is measured above
    from benchmarks import dbos_side

    dbos_side.leave()
