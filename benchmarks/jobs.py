"""What is asked of every queue, in the same way: to take jobs, to work them off, to tell another process soon.

A contestant's program, `programs/NAME_jobs.py`, says how its documentation submits, works and waits, and hands that to
`main`. Everything is looked at from outside: each body writes a line into a ledger, a file for each process; and the
contestant's own table says what is left. Imports nothing of any contestant.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import psycopg

from benchmarks.program import Order, Tally, answer, measured, percentile, read_order

FOLDER = "BENCH_LEDGER"
LINE = struct.Struct("=qd")
"""The job's number, and when its body began by this machine's clock."""

GO = "go"
WARM_UP = 20
IDLE_SECONDS = 0.05
LOOK_SECONDS = 0.002
_file: list[int] = []


def note(number: int) -> int:
    """The body of every job: one line in this process's ledger."""
    if not _file:
        path = Path(os.environ[FOLDER]) / f"{os.getpid()}.ledger"
        _file.append(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
    os.write(_file[0], LINE.pack(number, time.time()))
    return number


class Jobs:
    """A queue, as its documentation uses it. What it has no way to do, its shape leaves out."""

    left: ClassVar[str]
    """SQL: how many jobs are not done."""

    can_wait: ClassVar[bool] = False
    """Whether the submitter is told of the end."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.tally = Tally()

    def install(self) -> None:
        """Make the tables, and whatever submitting needs."""

    def submit_each(self, numbers: range) -> None:
        """One job after the other, each durable before the next."""
        raise NotImplementedError

    def submit_many(self, numbers: range) -> None:
        """All of them, in one call where there is one."""
        self.submit_each(numbers)

    def submit_and_wait(self, number: int) -> None:
        """One job, and its end, where `can_wait`."""
        raise NotImplementedError

    def work(self) -> None:
        """Work until the process ends."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave the database."""


class OnLoop(Jobs):
    """A queue that is async: its submitter's calls run on one event loop, which goes on where it stopped."""

    def __init__(self, order: Order) -> None:
        super().__init__(order)
        import uvloop  # late: only some environments have it

        self._loop = uvloop.new_event_loop()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Its result."""
        return self._loop.run_until_complete(work)


class Ledger:
    """What the bodies wrote, of all processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count(self) -> int:
        """How many bodies have begun."""
        return sum(path.stat().st_size for path in self._folder.glob("*.ledger")) // LINE.size

    def lines(self) -> list[tuple[int, float]]:
        """All, one process's after the other's."""
        return [line for path in self._folder.glob("*.ledger") for line in LINE.iter_unpack(path.read_bytes())]

    def wait_for(self, count: int, order: Order) -> None:
        """Until so many bodies have begun."""
        until(lambda: self.count() >= count, order, f"{count} bodies")


def until(is_so: Callable[[], bool], order: Order, what: str) -> None:
    """Look, until it is so; no longer than the order's patience."""
    end = time.monotonic() + order.patience - 10
    while not is_so():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {order.patience} s for {what}")
        time.sleep(LOOK_SECONDS)


@contextmanager
def workers(order: Order, count: int) -> Iterator[Ledger]:
    """So many processes that begin to work together, once all have imported what they need, until the block ends."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--url", order.url, "--shape", order.shape, "--variant", order.variant]
        arguments += ["--count", "0", "--role", "worker", "--patience", str(order.patience)]
        command = [sys.executable, "-W", "ignore", "-m", this_module(), *arguments]
        programs = [subprocess.Popen(command, env={**os.environ, FOLDER: folder}) for _ in range(count)]  # noqa: S603  # our own
        try:
            until(lambda: len(list(Path(folder).glob("*.ready"))) == count, order, "the workers")
            (Path(folder) / GO).touch()
            yield Ledger(Path(folder))
        finally:
            for program in programs:
                program.kill()
            for program in programs:
                program.wait()


def this_module() -> str:
    """The contestant's program, for its workers."""
    spec = sys.modules["__main__"].__spec__
    assert spec is not None
    return spec.name


def left(jobs: Jobs, connection: psycopg.Connection[tuple[int]]) -> int:
    """How many jobs the contestant's own table has not done."""
    row = connection.execute(jobs.left).fetchone()  # type: ignore[arg-type]  # ours
    assert row is not None
    return int(row[0])


def submits(order: Order, jobs: Jobs) -> None:
    """How fast one process submits, to nobody."""
    jobs.install()
    submit = jobs.submit_many if order.variant == "many" else jobs.submit_each
    submit(range(WARM_UP))
    with measured(jobs.tally) as window:
        submit(range(WARM_UP, WARM_UP + order.count))
    with psycopg.connect(order.url) as connection:
        found = left(jobs, connection)
    assert found == WARM_UP + order.count, f"{found} jobs of {WARM_UP + order.count} are there"
    answer(window, order.count)


def draining(order: Order, jobs: Jobs) -> None:
    """How fast a backlog is worked off: from the first body to the last end."""
    jobs.install()
    jobs.submit_many(range(order.count))
    with (
        psycopg.connect(order.url, autocommit=True) as connection,
        measured(Tally()) as window,
        workers(order, int(order.variant)) as ledger,
    ):
        ledger.wait_for(order.count, order)
        until(lambda: not left(jobs, connection), order, "the end of all jobs")
        end = time.time()
        lines = ledger.lines()
    executed = sorted(number for number, _ in lines)
    assert executed == list(range(order.count)), f"{len(executed)} bodies for {order.count} jobs"
    answer(window, order.count, per_second=order.count / (end - min(at for _, at in lines)))


def between(order: Order, jobs: Jobs) -> None:
    """On an idle system: from a submit here to the body in a worker, and from there to the submitter's knowing."""
    jobs.install()
    begun: list[float] = []
    known: list[float] = []
    with measured(Tally()) as window, workers(order, 1) as ledger:
        jobs.submit_each(range(WARM_UP))
        ledger.wait_for(WARM_UP, order)
        for number in range(WARM_UP, WARM_UP + order.count):
            time.sleep(IDLE_SECONDS)
            before = time.time()
            if jobs.can_wait:
                jobs.submit_and_wait(number)
            else:
                jobs.submit_each(range(number, number + 1))
            after = time.time()
            ledger.wait_for(number + 1, order)
            [at] = [at for found, at in ledger.lines() if found == number]
            begun.append(1e3 * (at - before))
            if jobs.can_wait:
                known.append(1e3 * (after - at))
    answer(window, order.count, **percentiles("", begun), **percentiles("known_", known))


def percentiles(what: str, found: Sequence[float]) -> dict[str, float]:
    """The middle, and what one in twenty exceeds."""
    shares = {"p50_ms": 0.5, "p95_ms": 0.95}
    return {f"{what}{name}": percentile(list(found), share) for name, share in shares.items() if found}


def is_idle(order: Order) -> bool:
    """Whether there is one job at a time, so that looking often pays."""
    return order.shape == "between_processes"


SHAPES = {"submits": submits, "draining": draining, "between_processes": between}


def main(contestant: type[Jobs]) -> None:
    """Do what was ordered, or work for the process that does."""
    order = read_order()
    jobs = contestant(order)
    if order.role == "worker":
        folder = Path(os.environ[FOLDER])
        (folder / f"{os.getpid()}.ready").touch()
        until((folder / GO).exists, order, "the word to begin")
        jobs.work()
        return
    SHAPES[order.shape](order, jobs)
    jobs.close()
