"""The model's walks through new starts, forks and deletions, done to the real stores, which say what the model says."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from model import restarting
from model.checker import Move
from model.restarting import Child, Plan, State
from model.scenarios import production_guards
from perdure._entries import RunFinished
from perdure._steering import By, Fork, Restart
from perdure.stores.protocol import Store
from tests.stores.entries import W1, claim, created, finished, join, recorded, released, state

ME = By("somebody")
KEYS = ("0", "1")


class Walk:
    """One walk through the model beside one database. `plans`: as they were made of what the database said."""

    def __init__(self, store: Store, seed: str) -> None:
        self.store, self.dice, self.id = store, random.Random(seed), seed  # noqa: S311
        self.model = restarting.model(production_guards("sqlite"), wishes=4)
        self.state: State = self.model.first  # type: ignore[assignment]  # it is one of these
        self.plans: dict[Plan, Restart | Fork | None] = {}
        self.claim = ""
        store.create([created(self.id, name=self.id)])

    def choose(self) -> Move | None:
        moves = [*self.model.moves(self.state)]
        assert not any(move.breach for move in moves)
        return self.dice.choice(moves) if moves else None

    def child(self, one: Child) -> str:
        return f"{self.id} child of life {one.life}"

    def do(self, move: Move) -> None:
        """The same to the database."""
        before, self.state = self.state, move.state
        match move.label.split():
            case ["somebody", "plans", *_]:
                [plan] = Counter(self.state.plans) - Counter(before.plans)
                self.plans[plan] = self.planned(plan)
            case ["the", _, "is", "given", "up"] | ["the", "run", "is", "started" | "deleted," | "forked", *_]:
                [plan] = Counter(before.plans) - Counter(self.state.plans)
                assert self.is_done(plan) == (move.label.split()[2:4] != ["is", "given"])
            case ["the", "run", "is", "claimed"] | ["the", "run", "is", "swept"]:
                [run] = claim(self.store, W1, names=[self.id])
                self.claim = run.claim
                assert (run.is_cancelled, run.incarnation) == (move.label.endswith("swept"), before.life - 1)
                if run.is_cancelled:
                    self.store.apply(W1, [finished(self.id, self.claim)])
            case ["its", "worker", *_]:
                self.store.apply(W1, [released(self.id, self.claim)])
            case ["the", "run", "calls", *_]:
                one = self.child(self.state.children[-1])
                made = created(one, claim=self.claim, parent_id=self.id, parent_key=KEYS[0], name=one)
                self.store.apply(W1, [made])
            case ["child", number, *_]:
                one = self.child(before.children[int(number)])
                [run] = claim(self.store, W1, names=[one])
                self.store.apply(W1, [finished(one, run.claim)])
            case ["a", "step", *_]:
                self.store.apply(W1, [recorded(self.id, self.claim, key=KEYS[1])])
            case ["the", "run", "ends", *_]:
                self.store.apply(W1, [RunFinished(self.id, self.claim, "succeeded", None)])
            case ["the", "run", "is", "cancelled"]:
                assert self.store.cancels.ask([self.id])

    def planned(self, plan: Plan) -> Restart | Fork | None:
        """By what the database says now."""
        past = self.store.steering.past(self.id)
        assert past is not None
        if plan.what == "fork":
            return Fork(self.id, f"{self.id} fork", [*KEYS[: plan.keeps]], {}, "fork")
        if plan.what == "delete":
            return None
        last_seq = max((record.seq for record in past.records), default=0)
        children = [self.child(self.state.children[number]) for number in plan.children]
        dropped = [*KEYS[plan.keeps : len(plan.records)]]
        undoer = (f"{self.id}:undo", None, 0)
        return Restart(
            self.id, past.state, past.incarnation, last_seq, *undoer, dropped, {}, children, [], plan.keeps == 0, ""
        )

    def is_done(self, plan: Plan) -> bool:
        """Whether the store has done it."""
        made = self.plans[plan]
        if isinstance(made, Restart):
            return self.store.steering.restart([made], "restart", ME)
        if isinstance(made, Fork):
            return self.store.steering.fork(made, ME) != "gone"
        return self.store.steering.delete([self.id], ME).run_ids == [self.id]

    def check(self, move: Move) -> None:
        """The rows are as the model says."""
        if self.state.run == "gone":
            assert self.store.runs.row(self.id) is None, move.label
            assert [self.store.runs.row(self.child(one)) for one in self.state.children] == [None] * len(
                self.state.children
            )
            return
        is_cancelling = self.state.cancel and self.state.run in ("held", "ready")
        assert state(self.store, self.id) in (self.state.run, "cancelling" if is_cancelling else ""), move.label
        keys = [row.key for row in self.store.runs.checkpoints(self.id)]
        assert keys == [*KEYS[: len(self.state.records)]], move.label
        for one in self.state.children:
            is_cancelling = one.is_cancelled and one.state == "ready"
            found = state(self.store, self.child(one))
            assert found in (one.state, "cancelling" if is_cancelling else ""), move.label
        if self.state.fork is not None:
            forked = [row.key for row in self.store.runs.checkpoints(f"{self.id} fork")]
            assert len(forked) == len(self.state.fork)


def walk_to_the_end(store: Store, seed: str) -> None:
    """Until nothing can happen any more."""
    walk = Walk(store, seed)
    while (move := walk.choose()) is not None:
        walk.do(move)
        walk.check(move)
    assert walk.model.is_done is not None
    assert walk.model.is_done(walk.state)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """One worker has the right to write."""
    join(store, W1)


def test_the_stores_do_what_the_model_says(store: Store) -> None:
    """Random walks, each of some twenty moves."""
    for number in range(12):
        walk_to_the_end(store, f"walk {number}")


@pytest.mark.long
def test_they_do_so_again_and_again(store: Store) -> None:
    """A thousand walks."""
    for number in range(1000):
        walk_to_the_end(store, f"long walk {number}")
