"""What a service of one worker has to expect, and what workers cost that have nothing to do: `python -m
benchmarks.liveness`.

- The only container of a service is killed and started again with nothing but the database: from the start of the new
  process to the next body.
- An idle worker: transactions a second that its server sees, and its share of a core.
- Eight processes that submit, with a session that listens to their hints and without one, in turn: commits a second,
  and processor time of the server for each.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

import perdure
from benchmarks.databases import Databases, serving
from benchmarks.shape import STORES
from benchmarks.waiting import worked_seconds
from benchmarks.worker_steps import hold, queue
from benchmarks.workers import end, line, started, wait_for

SETTLE_SECONDS = 5.0
IDLE_SECONDS = 20.0
WRITERS = 8
WRITING_SECONDS = 4.0


def restarts(url: str, times: int) -> list[float]:
    """From the start of a process that has nothing but the database to the body of the run that its killed predecessor
    held, in milliseconds.
    """
    found: list[float] = []
    with perdure.Client(url) as client, tempfile.TemporaryDirectory() as folder:
        for number in range(times):
            mark = Path(folder) / f"mark{number}"
            first = started(url, str(_made(folder, f"first{number}")))
            handle = client.with_options(queue=queue.name).submit(hold, str(mark))
            wait_for(mark)
            end(first)
            mark.unlink()
            before = time.time()
            second = started(url, str(_made(folder, f"second{number}")))
            wait_for(mark)
            found.append((mark.stat().st_mtime - before) * 1e3)
            Path(f"{mark}.go").touch()
            handle.result(60)
            end(second)
    return found


def _made(folder: str, name: str) -> Path:
    place = Path(folder) / name
    place.mkdir()
    return place


def idle(databases: Databases, url: str) -> str:
    """A worker without work: transactions a second, where a server counts them, and its share of a core."""
    program = started(url)
    time.sleep(SETTLE_SECONDS)
    seen = databases.transactions(url) if url.startswith("postgresql") else 0
    worked, began = worked_seconds([program.pid]), time.perf_counter()
    time.sleep(IDLE_SECONDS)
    seconds = time.perf_counter() - began
    share = 100 * (worked_seconds([program.pid]) - worked) / seconds
    end(program)
    if not url.startswith("postgresql"):
        return f"{share:.2f} % of a core"
    return f"{share:.2f} % of a core, {(databases.transactions(url) - seen) / seconds:.1f} transactions a second"


def write(url: str) -> None:
    """Submit one by one for some seconds, and print how many."""
    with perdure.Client(url) as client:
        to, count = client.with_options(queue="nobody", kind="step"), 0
        to.submit("nobody:knows", 0)
        print("ready", flush=True)
        sys.stdin.readline()
        until = time.perf_counter() + WRITING_SECONDS
        while time.perf_counter() < until:
            to.submit("nobody:knows", count)
            count += 1
        print(count, flush=True)


def written(url: str, *, is_heard: bool) -> float:
    """What eight write in a second; with a session that hears of it, or without."""
    programs = [
        subprocess.Popen(  # noqa: S603  # our own
            [sys.executable, "-m", "benchmarks.liveness", "--write", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(WRITERS)
    ]
    with psycopg.connect(url, autocommit=True) as listener:
        if is_heard:
            listener.execute("LISTEN perdure")
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        for program in programs:
            assert program.stdin is not None
            program.stdin.write("go\n")
            program.stdin.flush()
        if is_heard:
            for _ in listener.notifies(timeout=WRITING_SECONDS):
                pass
        total = sum(int(program.communicate()[0]) for program in programs)
    return total / WRITING_SECONDS


def main() -> int:
    """Each of them, on both stores where it makes sense."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", metavar="URL")
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args()
    if given.write:
        write(given.write)
        return 0
    with serving() as databases:
        print("| ms | p50 | p95 | most |\n| --- | --: | --: | --: |")
        for store in STORES:
            with databases.fresh(store) as url:
                print(line(f"{store}: the only container, started again, to the next body", restarts(url, given.times)))
        for store in STORES:
            with databases.fresh(store) as url:
                print(f"{store}: an idle worker: {idle(databases, url)}", flush=True)
        shares, paid = list[float](), list[float]()
        for number in range(given.times):
            found = {}
            for is_heard in (True, False) if number % 2 else (False, True):
                with databases.fresh("postgres") as url:
                    worked = databases.worked_seconds()
                    found[is_heard] = written(url, is_heard=is_heard), databases.worked_seconds() - worked
            shares.append(found[True][0] / found[False][0])
            paid.append(found[True][1] / found[True][0] / (found[False][1] / found[False][0]))
            print(f"{WRITERS} writers: {found[False][0]:,.0f} commits a second, {found[True][0]:,.0f} with a listener")
        print(
            f"with a listener {100 * statistics.median(shares):.0f} % of the commits a second; the server works "
            f"{100 * statistics.median(paid):.0f} % for each"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
