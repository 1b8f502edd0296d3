"""Perdure: whether a queue of 100,000 runs is worked off as fast at its beginning as at its end.

The backlog is copied from one real run that is not yet due, set-wise and before the launch, so that nothing but the
working-off is measured.
"""

from __future__ import annotations

import threading
import time

import perdure
from benchmarks.program import Tally, answer, measured, read_order
from benchmarks.statements import run_script

SHARE = 10
"""The second tenth and the last are compared: the first has the warm-up of a fresh process in it."""

DELAY_SECONDS = 100_000.0
queue = perdure.Queue("bench")
ended_at: list[float] = []
is_done = threading.Event()
expected = 0


@perdure.step
def job(number: int) -> int:
    ended_at.append(time.perf_counter())
    if len(ended_at) == expected:
        is_done.set()
    return number


if __name__ == "__main__":
    order = read_order()
    expected = order.count
    with perdure.running(order.url):
        queue.submit(job, 1).result()
        queue.with_options(id="template", delay=DELAY_SECONDS).submit(job, 1)
    run_script(order, "backlog", order.count)
    ended_at.clear()
    with perdure.running(order.url), measured(Tally()) as window:
        is_done.wait()
    part = order.count // SHARE
    growth = (ended_at[-1] - ended_at[-part - 1]) / (ended_at[2 * part] - ended_at[part])
    # a deep queue that is slower than an empty one is no better than the reverse
    answer(window, order.count, growth=max(growth, 1 / growth))
