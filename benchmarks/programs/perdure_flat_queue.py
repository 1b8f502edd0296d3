"""Perdure: whether a queue of 100,000 runs is worked off as fast at its beginning as at its end.

The backlog is copied from one real run that is not yet due, set-wise and before the launch, so that nothing but the
working-off is measured.
"""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from statistics import median

import perdure
from benchmarks.program import Tally, answer, measured, read_order
from benchmarks.statements import run_script

BLOCKS = 100
EARLY, LATE = slice(10, 40), slice(70, 100)
"""Medians of blocks are compared, for a vacuum or a checkpoint now and then is no growth; the first blocks have the
warm-up of a fresh process in them.
"""

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
    block = max(1, order.count // BLOCKS)
    ends = ended_at[::block]
    seconds = [end - begin for begin, end in pairwise(ends)] + [ended_at[-1] - ends[-1]]
    growth = median(seconds[LATE] or seconds) / median(seconds[EARLY] or seconds)
    # a deep queue that is slower than an empty one is no better than the reverse
    answer(window, order.count, growth=max(growth, 1 / growth))
