"""What runs that wait cost one worker: `python -m benchmarks.waiting [--runs N] [--store sqlite|postgres]`.

A quarter each waits for a message, for a child (which waits, too), for a person's answer and for tomorrow; all of them
are run there by one worker, as users' would be. Says what memory the worker takes and has taken at most, how much of a
processor it and the server use while nothing happens, and how long it takes until a thousand of them, who get their
message, have ended.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import perdure
from benchmarks.databases import Databases, serving
from benchmarks.plans import Plans, plans
from benchmarks.program import Order
from benchmarks.shape import STORES
from benchmarks.waiting_runs import KINDS, message, queue

WOKEN = 1_000
SETTLE_SECONDS = 10.0
IDLE_SECONDS = 20.0
LOOK_SECONDS = 0.005
TICKS = os.sysconf("SC_CLK_TCK")


def megabytes(process: int, what: str) -> float:
    """A line of the kernel's account of a process."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1_024
    return 0.0


def worked_seconds(processes: Iterable[int]) -> float:
    """How long these have worked."""
    worked = 0
    for process in processes:
        with_name = Path(f"/proc/{process}/stat").read_text()
        worked += sum(map(int, with_name.rsplit(")", 1)[1].split()[11:13]))
    return worked / TICKS


@contextmanager
def working(url: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker in a process of its own."""
    program = subprocess.Popen(  # noqa: S603  # our own
        [sys.executable, "-m", "perdure", "worker", "benchmarks.waiting_runs", "--url", url],
        stdout=subprocess.DEVNULL,
    )
    try:
        yield program
    finally:
        program.kill()
        program.wait()


def counted(planned: Plans, condition: str) -> int:
    """How many runs there are of which this holds."""
    [[found]] = planned.rows(f"SELECT count(*) FROM run_view WHERE {condition}")  # noqa: S608  # our own
    return int(found)


def until(planned: Plans, condition: str, count: int, look_seconds: float) -> float:
    """Return when so many runs are there; how long it took."""
    began = time.perf_counter()
    while counted(planned, condition) < count:
        time.sleep(look_seconds)
    return time.perf_counter() - began


def report(databases: Databases, store: str, url: str, count: int) -> None:
    """Let them wait, look, wake some."""
    order = Order(url, "", count, False, "")
    with perdure.Client(url) as client, plans(order) as planned, working(url) as program:
        to = client.with_options(queue=queue.name)
        began = time.perf_counter()
        handles = {kind: to.submit_many(kind, ((number,) for number in range(count // 4))) for kind in KINDS}
        until(planned, "state = 'parked'", 5 * (count // 4), 1.0)
        print(
            f"\n{store}: {5 * (count // 4):,} runs wait after {time.perf_counter() - began:.0f} s, "
            f"for which the worker has worked {worked_seconds([program.pid]):.1f} s"
        )
        time.sleep(SETTLE_SECONDS)
        processes = [program.pid, *(databases.processes() if order.is_postgres else [])]
        worked = [worked_seconds([process]) for process in processes]
        time.sleep(IDLE_SECONDS)
        shares = [
            100 * (worked_seconds([process]) - had) / IDLE_SECONDS
            for process, had in zip(processes, worked, strict=True)
        ]
        print(
            f"  the worker takes {megabytes(program.pid, 'VmRSS'):.0f} MB, and has taken at most "
            f"{megabytes(program.pid, 'VmHWM'):.0f}; idle it uses {shares[0]:.2f} % of a core, the server "
            f"{sum(shares[1:]):.2f} %",
            flush=True,
        )
        woken = handles[message][:: max(1, count // 4 // WOKEN)][:WOKEN]
        had, began = worked_seconds([program.pid]), time.perf_counter()
        client.send_many((handle, 1, "go") for handle in woken)
        sent = time.perf_counter() - began
        until(planned, "finished_at IS NOT NULL", len(woken), LOOK_SECONDS)
        print(
            f"  {len(woken):,} messages were sent in {sent:.2f} s; all who got one had ended after "
            f"{time.perf_counter() - began:.2f} s, for which the worker has worked "
            f"{worked_seconds([program.pid]) - had:.2f} s",
            flush=True,
        )


def main() -> int:
    """Both stores, or one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--store", choices=STORES)
    given = parser.parse_args()
    with serving() as databases:
        for store in STORES if given.store is None else (given.store,):
            with databases.fresh(store) as url:
                report(databases, store, url, given.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
