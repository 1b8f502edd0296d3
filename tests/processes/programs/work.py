"""A service with every shape of work: wide and narrow queues, sync and async, nested; started again it goes on."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys

import perdure
from perdure import Handle, Queue, idempotency_key, step, workflow
from perdure._api.app import current_runtime
from tests.processes.ledger import note

narrow = Queue("narrow", worker_concurrency=1)
wide = Queue("wide", worker_concurrency=8)


@step
def double(number: int) -> int:
    note("body", idempotency_key())
    return number * 2


@step
async def adouble(number: int) -> int:
    note("body", idempotency_key())
    await asyncio.sleep(0)
    return number * 2


@workflow
def add_up(queue: str, children: int) -> int:
    pool = narrow if queue == "narrow" else wide
    handles = [pool.submit(double, number) for number in range(children)]
    return sum(handle.result() for handle in handles) + double(1000)


@workflow
async def aadd_up(queue: str, children: int) -> int:
    pool = narrow if queue == "narrow" else wide
    handles = [pool.submit(adouble, number) for number in range(children)]
    own = await asyncio.gather(*(adouble(number) for number in range(4)))
    return sum(await asyncio.gather(*handles)) + sum(own)


@workflow
def leaf(number: int) -> int:
    return double(number) + double(number + 1)


@workflow
def nest(number: int) -> int:
    direct = leaf(number)
    started = perdure.start(leaf, number + 1)
    queued = narrow.submit(leaf, number + 2)
    return direct + started.result() + queued.result() + double(number)


@workflow
async def anest(number: int) -> int:
    started = perdure.start(leaf, number)
    queued = wide.submit(aadd_up, "narrow", 3)
    return await started + await queued + await aadd_up("wide", 2)


def start_all(children: int) -> dict[str, Handle[int]]:
    """Everything, by ids that make a second start the same work."""

    def options(run_id: str) -> perdure._api.queue.Starter:
        return perdure.with_options(id=run_id)

    return {
        "narrow": narrow.with_options(id="narrow").submit(add_up, "narrow", children),
        "wide": wide.with_options(id="wide").submit(add_up, "wide", children),
        "anarrow": options("anarrow").start(aadd_up, "narrow", children),
        "awide": options("awide").start(aadd_up, "wide", children),
        **{f"nest-{n}": options(f"nest-{n}").start(nest, n) for n in range(5)},
        **{f"anest-{n}": options(f"anest-{n}").start(anest, n) for n in range(5)},
        **{f"alone-{n}": wide.with_options(id=f"alone-{n}").submit(double, n) for n in range(20)},
    }


def expected(children: int) -> dict[str, int]:
    """What comes out of it."""
    total = children * (children - 1)
    return {
        "narrow": total + 2000,
        "wide": total + 2000,
        "anarrow": total + 12,
        "awide": total + 12,
        **{f"nest-{n}": (4 * n + 2) + (4 * n + 6) + (4 * n + 10) + 2 * n for n in range(5)},
        **{f"anest-{n}": (4 * n + 2) + (6 + 12) + (2 + 12) for n in range(5)},
        **{f"alone-{n}": 2 * n for n in range(20)},
    }


def die_at(number: int) -> None:
    """Kill this process before its `number`-th statement to the database; 0 means never."""
    statements = itertools.count(1)

    def listen(_: str) -> None:
        if next(statements) == number:
            os.kill(os.getpid(), signal.SIGKILL)

    current_runtime().store.on_statement = listen  # type: ignore[attr-defined]  # both stores have it


def main() -> None:
    children = int(sys.argv[1])
    perdure.launch()
    die_at(int(sys.argv[2]))
    print("launched", flush=True)
    handles = start_all(children)
    print("started", flush=True)
    results = {name: handle.result() for name, handle in handles.items()}
    assert results == expected(children), results
    perdure.shutdown()
    print("done", flush=True)


if __name__ == "__main__":
    main()
