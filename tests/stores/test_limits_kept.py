"""Whatever several workers do in whatever order, no limit is ever exceeded, as the rows tell, and nobody starves."""

from __future__ import annotations

import random
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from perdure._entries import SlotGiven
from perdure.stores.protocol import ClaimRequest, Store
from tests.stores.entries import WORK, finished, fresh_claims, join, named_uuid, parked, released
from tests.stores.limiting import QUEUE, fill, limit

WORKERS = 3
CONCURRENCY, KEY_CONCURRENCY, RATE, PERIOD = 5, 2, 8, 0.15
PATIENCE_SECONDS = 60


@pytest.fixture
def look(store_url: str) -> Iterator[Callable[[str], list[Any]]]:
    """Asks as somebody does who has no part of Perdure."""
    if store_url.startswith("postgresql"):
        import psycopg

        with psycopg.connect(store_url, options="-c search_path=perdure", autocommit=True) as connection:
            yield lambda statement: connection.execute(statement.encode()).fetchall()
        return
    with closing(sqlite3.connect(store_url, isolation_level=None)) as file:
        yield lambda statement: file.execute(statement).fetchall()


class Play:
    """Workers, what they hold, and what was ever put on the queue."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.dice = store, random.Random(seed)  # noqa: S311
        self.names = [named_uuid(f"kept {seed} {number}") for number in range(WORKERS)]
        self.deaths = 0
        join(store, *self.names)
        self.held: dict[str, tuple[str, str]] = {}
        """By claim: the worker and the run."""
        self.waiting: set[str] = set()
        """Claims whose slots were given back."""
        self.made = self.done = 0

    def submit(self) -> None:
        """Some runs, of some key or of none."""
        count = self.dice.randint(1, 4)
        key = self.dice.choice(["a", "a", "b", "c", None])
        names = [f"r{self.made + nth}" for nth in range(count)]
        fill(self.store, *names, flow_key=key, priority=self.dice.choice([0, 0, 1]))
        self.made += count

    def claim(self) -> None:
        """Some worker asks, for those that go on and for new ones."""
        worker = self.dice.choice(self.names)
        asking = [claim for claim in self.waiting if self.held[claim][0] == worker and self.dice.random() < 0.7]
        slots = self.dice.randint(0, 6)
        claims = fresh_claims(slots)
        claimed = self.store.claim(worker, ClaimRequest({QUEUE: slots}, [WORK], resuming={QUEUE: asking}), claims)
        self.waiting -= claimed.resumed
        self.held.update({run.claim: (worker, run.run_id) for run in claimed.runs})

    def end(self) -> None:
        """A run that has its slot ends, waits, leaves memory, or goes back."""
        if not (active := [claim for claim in self.held if claim not in self.waiting]):
            return
        claim = self.dice.choice(active)
        worker, run_id = self.held[claim]
        match self.dice.randint(0, 5):
            case 0 | 1:
                self.store.apply(worker, [finished(run_id, claim)])
                self.done += 1
            case 2 | 3:
                self.store.apply(worker, [SlotGiven(run_id, claim)])
                self.waiting.add(claim)
                return
            case 4:
                self.store.apply(worker, [parked(run_id, claim, due_at=1.0)])
            case _:
                self.store.apply(worker, [released(run_id, claim)])
        del self.held[claim]

    def die(self) -> None:
        """A worker is gone, and another one comes."""
        dead = self.names.pop(self.dice.randrange(WORKERS))
        self.store.workers.take_over(dead)
        lost = [claim for claim, (worker, _) in self.held.items() if worker == dead]
        for claim in lost:
            del self.held[claim]
            self.waiting.discard(claim)
        self.deaths += 1
        self.names.append(named_uuid(f"kept again {id(self)} {self.deaths}"))
        join(self.store, self.names[-1])

    def drain(self) -> None:
        """Nobody submits any more. The windows of the rate take their time, however fast the machine is."""
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            if self.done == self.made:
                return
            self.claim()
            self.end()
            self.end()
        raise AssertionError(f"{self.made - self.done} runs never ended")


@pytest.mark.parametrize("seed", [1, 2])
def test_no_limit_is_ever_exceeded_and_nobody_starves(
    store: Store, store_url: str, look: Callable[[str], list[Any]], seed: int
) -> None:
    """Of all, of each key, and of starts in any window; with deaths, waits, parks and hand-backs between."""
    limit(store, concurrency=CONCURRENCY, key_concurrency=KEY_CONCURRENCY, rate=(RATE, PERIOD))
    play = Play(store, seed)
    moves = [*[play.submit] * 2, *[play.claim] * 6, *[play.end] * 5]
    for number in range(150):
        play.dice.choice(moves)() if number % 50 != 49 else play.die()
        counted = look("SELECT flow_key, count(*) FROM runs WHERE state = 'held' AND has_slot GROUP BY 1")
        slots = Counter(dict(counted))
        assert slots.total() <= CONCURRENCY
        assert all(count <= KEY_CONCURRENCY for key, count in slots.items() if key is not None)
        assert slots.total() == len(play.held) - len(play.waiting)
    play.drain()
    moment = "extract(epoch FROM started_at)::float8" if store_url.startswith("postgresql") else "started_at"
    moments = [at for (at,) in look(f"SELECT {moment} FROM runs ORDER BY 1")]  # noqa: S608
    assert all(later - earlier > PERIOD for earlier, later in zip(moments, moments[RATE:], strict=False))
