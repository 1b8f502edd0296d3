"""Between processes: how soon a worker begins what a client submits, how soon the client knows the end, and how soon
another worker goes on when the first is killed. `make bench-workers` prints it for both stores.

Times of one machine's clock, in milliseconds. A worker "elsewhere" has another temporary directory: it sees no lock
file of the first, as on another machine; a file's workers are all on one.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import perdure
from benchmarks.databases import serving
from benchmarks.worker_steps import hold, queue, stamp


def worker(url: str) -> None:
    """Work until the end."""
    perdure.launch(url)
    print("ready", flush=True)
    signal.pause()


def started(url: str, folder: str | None = None) -> subprocess.Popen[str]:
    """A process that works, with a temporary directory of its own if one is named."""
    program = subprocess.Popen(  # noqa: S603  # our own
        [sys.executable, "-m", "benchmarks.workers", "--worker", url],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | ({"TMPDIR": folder} if folder else {}),
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "ready\n"
    time.sleep(1.2)  # what a launch leaves to its threads is done
    return program


def end(program: subprocess.Popen[str]) -> None:
    """Kill it."""
    program.kill()
    program.wait()
    if program.stdout is not None:
        program.stdout.close()


def wake_ups(client: perdure.Client, times: int) -> tuple[list[float], list[float]]:
    """From the submit to the body, and from the body to the client's knowing."""
    begun, known = [], []
    for _ in range(times):
        time.sleep(0.03)
        before = time.time()
        began = client.with_options(queue=queue.name).submit(stamp).result(60)
        after = time.time()
        begun.append((began - before) * 1e3)
        known.append((after - began) * 1e3)
    return begun, known


def failovers(client: perdure.Client, url: str, times: int, *, is_elsewhere: bool) -> list[float]:
    """From SIGKILL to the first body of the run in another process."""
    found: list[float] = []
    with tempfile.TemporaryDirectory() as folder:

        def another(number: int) -> subprocess.Popen[str]:
            place = Path(folder) / str(number)
            place.mkdir()
            return started(url, str(place) if is_elsewhere else None)

        first = another(0)
        for number in range(1, times + 1):
            mark = Path(folder) / f"mark{number}"
            handle = client.with_options(queue=queue.name).submit(hold, str(mark))
            wait_for(mark)
            second = another(number)
            mark.unlink()
            before = time.time()
            first.kill()
            wait_for(mark)
            found.append((time.time() - before) * 1e3)
            Path(f"{mark}.go").touch()
            handle.result(60)
            end(first)
            first = second
        end(first)
    return found


def wait_for(mark: Path) -> None:
    """Until the body has begun."""
    while not mark.exists():
        time.sleep(0.001)


def share(found: Sequence[float], part: float) -> float:
    """The value that so large a part does not exceed."""
    return sorted(found)[min(len(found) - 1, int(len(found) * part))]


def line(what: str, found: Sequence[float]) -> str:
    """One row of the table."""
    return f"| {what} | {share(found, 0.5):.1f} | {share(found, 0.95):.1f} | {max(found):.1f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", metavar="URL")
    parser.add_argument("--times", type=int, default=100, help="submits to measure")
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    if given.worker:
        worker(given.worker)
        return
    print("| ms | p50 | p95 | most |\n| --- | --: | --: | --: |")
    with serving() as databases:
        for store in ("sqlite", "postgres"):
            with databases.fresh(store) as url, perdure.Client(url) as client:
                works = started(url)
                begun, known = wake_ups(client, given.times)
                end(works)
                print(line(f"{store}: submit to body in another process", begun))
                print(line(f"{store}: body to the client's knowing its end", known))
                print(
                    line(f"{store}: SIGKILL to the next body", failovers(client, url, given.kills, is_elsewhere=False))
                )
                if store == "postgres":
                    found = failovers(client, url, given.kills, is_elsewhere=True)
                    print(line(f"{store}: SIGKILL to the next body elsewhere", found))


if __name__ == "__main__":
    main()
