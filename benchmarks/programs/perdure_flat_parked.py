"""Perdure: whether runs that wait make claims, polls or wakes slower: each beside 100 parked runs, then beside many.

Asked of the store itself, one call after the other, as a worker would.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import uuid4

import perdure
from benchmarks.program import Order, Tally, answer, measured, read_order
from benchmarks.statements import run_script
from perdure._entries import RunCreated, RunFinished, RunParked, Stored, Wait
from perdure.stores.open import open_store
from perdure.stores.protocol import ClaimRequest, Store, WorkerRow

FEW, TIMES = 100, 200
QUEUE, NAME = "bench", "bench:parent"
INPUT = Stored("json", "[]")


def made(run_id: str, held_as: str, **more: str) -> RunCreated:
    return RunCreated(run_id, "workflow", NAME, "f", INPUT, run_id, held_as=held_as, queue=QUEUE, **more)


class Probes:
    """A worker and what it asks for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._me = str(uuid4())
        store.workers.join(WorkerRow(self._me, "bench", 1), 600.0)

    def claims(self) -> None:
        self._store.claim(self._me, ClaimRequest({QUEUE: 8}, [NAME]), [str(uuid4()) for _ in range(8)])

    def polls(self) -> None:
        self._store.pulse(self._me, [QUEUE], [NAME])

    def wakes(self) -> None:
        """A parent parks, its child ends, the parent is claimed and ends."""
        parent, child = uuid4().hex, uuid4().hex
        first, second, third = (str(uuid4()) for _ in range(3))
        store, me = self._store, self._me
        store.apply(me, [made(parent, first), made(child, second, claim=first, parent_id=parent, parent_key="0")])
        store.apply(me, [RunParked(parent, first, waits_for=(Wait("children"),))])
        store.apply(me, [RunFinished(child, second, "succeeded", INPUT)])
        [woken] = store.claim(me, ClaimRequest({QUEUE: 1}, [NAME]), [third]).runs
        store.apply(me, [RunFinished(woken.run_id, third, "succeeded", INPUT)])

    def leave(self) -> None:
        self._store.workers.leave(self._me)


def probe(order: Order, most: int) -> dict[str, float]:
    """The best of some calls of each kind, so that a neighbour's noise is no growth."""
    store = open_store(order.url)
    store.migrate()
    probes = Probes(store)
    kinds: dict[str, Callable[[], None]] = {"claims": probes.claims, "polls": probes.polls, "wakes": probes.wakes}
    best = dict.fromkeys(kinds, float("inf"))
    for number in range(most):
        for name, work in kinds.items():
            began = time.perf_counter()
            work()
            if number:
                best[name] = min(best[name], time.perf_counter() - began)
    probes.leave()
    store.close()
    return best


if __name__ == "__main__":
    order = read_order()
    with perdure.running(order.url):
        pass
    store = open_store(order.url)
    store.migrate()
    maker, claim = str(uuid4()), str(uuid4())
    store.workers.join(WorkerRow(maker, "bench", 1), 600.0)
    store.apply(maker, [made("template", claim), RunFinished("template", claim, "succeeded", INPUT)])
    store.workers.leave(maker)
    store.close()
    run_script(order, "parked", min(FEW, order.count - 1))
    calls = TIMES if order.count > FEW else 3
    before = probe(order, calls)
    with measured(Tally()) as window:
        run_script(order, "parked", order.count)
    after = probe(order, calls)
    growths = {f"growth_{name}": after[name] / before[name] for name in before}
    answer(window, order.count, growth=max(growths.values()), **growths)
