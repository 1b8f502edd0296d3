"""The model's walks, done to the real stores: after each move the rows are as the model says."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from model import limits_moves
from model.checker import Move
from model.limits import Claim, State
from model.scenarios import production_guards
from perdure._entries import SlotGiven
from perdure.stores.protocol import ClaimRequest, Fenced, Store
from tests.stores.entries import WORK, child, created, finished, fresh_claims, join, named_uuid
from tests.stores.limiting import QUEUE, limit

SCENARIOS: dict[str, dict[str, Any]] = {
    "two parents": {"programs": ((2,), (3,), (), ()), "death": 1, "fence": 1},
    "answers are lost": {"programs": ((1, 2), (), (), ()), "reply": 1, "fence": 1},
    "limits change": {"programs": ((1,), (), ()), "set": 2, "unset": 2, "reply": 1},
    "two slots": {"programs": ((1, 2), (), (), ()), "limit": 2, "death": 1},
}
MOST_MOVES = 400


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


class Walk:
    """One walk through the model, beside one database. `claims`: by run and number of the model's claim."""

    def __init__(self, store: Store, seed: str, bounds: dict[str, Any]) -> None:
        self.store, self.dice, self.seed = store, random.Random(seed), seed  # noqa: S311
        self.bounds = bounds
        self.model = limits_moves.model(production_guards("sqlite"), one_writer=True, **bounds)
        self.state: State = self.model.first  # type: ignore[assignment]  # it is one of these
        self.claims: dict[tuple[int, int], str] = {}
        join(store, *(self.worker(one.number) for one in self.state.workers))
        limit(store, concurrency=bounds.get("limit", 1))
        for number, run in enumerate(self.state.runs):
            if run.state == "ready":
                store.create([created(self.run(number), queue=QUEUE, priority=number)])

    def run(self, number: int) -> str:
        return f"{self.seed} {number}"

    def worker(self, number: int) -> str:
        return named_uuid(f"{self.seed} worker {number}")

    def choose(self) -> Move | None:
        """Some move that changes something; faults now and then."""
        moves = [move for move in self.model.moves(self.state) if move.state != self.state]
        assert not any(move.breach for move in moves)
        return self.dice.choice(moves) if moves else None

    def do(self, move: Move) -> None:
        """The same to the database. What only a memory knows is nothing to it."""
        before, self.state = self.state, move.state
        match move.label.split():
            case ["run", number, "waits", *_]:
                self.make_children(before, int(number))
            case ["run", number, "has", "given", *_]:
                self.write(before, int(number), SlotGiven)
            case ["run", number, "ends"]:
                self.write(before, int(number), finished)
            case ["the", "claim", "of", "worker", number, *_]:
                self.claim(before, int(number))
            case ["worker", number, "dies,", *_] | ["worker", number, "is", "fenced,", *_]:
                assert self.store.workers.take_over(self.worker(int(number))) is not None
                join(self.store, self.worker(self.state.numbers))
            case ["what", "worker", number, *_]:
                run, claim, _ = before.late[0]
                with pytest.raises(Fenced):
                    self.store.apply(self.worker(int(number)), [SlotGiven(self.run(run), self.claims[run, claim])])
            case ["the", "answer", "to", "worker", number, *_]:
                held = [self.run(i) for i, run in enumerate(self.state.runs) if run.worker == int(number)]
                self.store.reconcile(self.worker(int(number)), held)
            case ["a", "limit", *_]:
                limit(self.store, concurrency=self.bounds.get("limit", 1))
            case ["the", "limit", *_]:
                limit(self.store, concurrency=None)

    def make_children(self, before: State, number: int) -> None:
        holder = before.runs[number]
        for made, (was, run) in enumerate(zip(before.runs, self.state.runs, strict=True)):
            if was.state == "none" and run.state == "ready":
                claim = self.claims[number, holder.claim]
                entry = child(self.run(made), self.run(number), claim, queue=QUEUE, priority=made)
                self.store.apply(self.worker(holder.worker), [entry])

    def write(self, before: State, number: int, entry: Callable[[str, str], Any]) -> None:
        run = before.runs[number]
        claim = self.claims[number, run.claim]
        self.store.apply(self.worker(run.worker), [entry(self.run(number), claim)])

    def claim(self, before: State, worker: int) -> None:
        """What it gives is what the model says."""
        [asked] = [claim for claim in before.claims if claim.worker == worker]
        [given] = [claim for claim in self.state.claims if claim.worker == worker]
        resuming = [self.claims[number, claim] for number, claim in asked.asked]
        drawn = fresh_claims(1)
        request = ClaimRequest({QUEUE: 1}, [WORK], resuming={QUEUE: resuming})
        claimed = self.store.claim(self.worker(worker), request, drawn)
        assert [run.run_id for run in claimed.runs] == [self.run(number) for number in given.picked]
        assert claimed.resumed == self.resumed(given)
        for number in given.picked:
            self.claims[number, self.state.runs[number].claim] = drawn[0]

    def resumed(self, given: Claim) -> set[str]:
        return {self.claims[number, claim] for number, claim in given.asked if number in given.resumed}

    def rows(self) -> dict[str, tuple[str, bool | None]]:
        """State and slot of each run that there is, as the model has them."""
        return {
            self.run(number): (run.state, run.slot if run.state == "held" else None)
            for number, run in enumerate(self.state.runs)
            if run.state != "none"
        }


def walk_to_the_end(store: Store, look: Callable[[str], list[Any]], seed: str, bounds: dict[str, Any]) -> None:
    """Until every run has ended."""
    walk = Walk(store, seed, bounds)
    known = {"ready": "ready", "held": "held", "succeeded": "done"}
    for _ in range(MOST_MOVES):
        assert walk.model.is_done is not None
        move = None if walk.model.is_done(walk.state) else walk.choose()
        if move is None:
            break
        walk.do(move)
        rows = look(f"SELECT id, state, has_slot FROM runs WHERE id LIKE '{seed} %'")  # noqa: S608
        found = {
            run_id: (known[state], None if state != "held" or has_slot is None else bool(has_slot))
            for run_id, state, has_slot in rows
        }
        assert found == walk.rows(), move.label
    assert walk.model.is_done is not None
    assert walk.model.is_done(walk.state)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_stores_do_what_the_model_says(store: Store, look: Callable[[str], list[Any]], scenario: str) -> None:
    """Random walks of each scenario, to its end."""
    for number in range(2):
        walk_to_the_end(store, look, f"{scenario}, {number}", SCENARIOS[scenario])


@pytest.mark.long
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_they_do_so_again_and_again(store: Store, look: Callable[[str], list[Any]], scenario: str) -> None:
    """A hundred walks of each."""
    for number in range(100):
        walk_to_the_end(store, look, f"{scenario}, long, {number}", SCENARIOS[scenario])
