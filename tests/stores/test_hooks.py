"""The contract of hooks: one owner of a token, one answer, and never an answer that is accepted and too late."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from typing import Any

import psycopg
import pytest

from perdure._entries import (
    Accepted,
    HookMissed,
    HookOpened,
    HookResolved,
    HookTimedOut,
    MessageReceived,
    Refused,
    RunContinued,
    Stored,
    Verdict,
    Wait,
)
from perdure.stores.protocol import Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    W1,
    W2,
    OpenAnother,
    arrived,
    claim,
    created,
    finished,
    join,
    named_uuid,
    parked,
    received,
    recorded,
    released,
)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write, and one of them holds a run."""
    join(store, W1, W2)
    store.apply(W1, [created("r", held_as=C1)])


def opened(token: str, key: str = "1", run_id: str = "r", claim: str = C1, **changes: Any) -> HookOpened:
    """The checkpoint that opens a hook."""
    values: dict[str, Any] = {
        "entry_id": f"opened {key}",
        "kind": "hook",
        "name": "hook",
        "fingerprint": "-",
        "is_error": False,
        "outcome": Stored("json", json.dumps([token, None])),
        "topic": f"hook:{token}",
        "shape": "app:Approval",
    }
    return HookOpened(run_id, claim, key=key, token=token, **(values | changes))


def resolved(
    token: str, name: str = "m", key: str = "1", run_id: str = "r", claim: str | None = None, topic: str | None = None
) -> HookResolved:
    """An answer."""
    value = Stored("json", f'"{name}"')
    return HookResolved(run_id, claim, named_uuid(name), topic or f"hook:{token}", value, token=token, key=key)


def timed_out(token: str, key: str = "2", hook_key: str = "1", run_id: str = "r", claim: str = C1) -> HookTimedOut:
    """The checkpoint that says that no answer came in time."""
    return HookTimedOut(
        run_id,
        claim,
        f"timed out {key}",
        key,
        "recv",
        f"hook:{token}",
        "-",
        True,
        Stored("json", "null"),
        token=token,
        hook_key=hook_key,
    )


def taken(token: str, name: str = "m", key: str = "2", run_id: str = "r", claim: str = C1) -> MessageReceived:
    """The checkpoint that receives the answer."""
    return received(run_id, claim, name, key, name=f"hook:{token}")


def answers(store: Store, token: str, run_id: str = "r") -> list[str]:
    """What waits to be received."""
    return [arrival.value.text for arrival in arrived(store, run_id, f"hook:{token}")]


def test_a_hook_is_opened_by_its_checkpoint(store: Store) -> None:
    """In one commit; sent again it finds itself."""
    entry = opened("t", schema="{}", question="really?", due_at=5.0)
    assert store.apply(W1, [entry]) == store.apply(W1, [entry]) == [Accepted()]
    row = store.finder.hook("t")
    assert row is not None
    assert (row.run_id, row.key, row.topic, row.shape, row.schema, row.question, row.due_at, row.state) == (
        "r",
        "1",
        "hook:t",
        "app:Approval",
        "{}",
        "really?",
        5.0,
        "held",
    )
    assert row.resolved_at is row.closed_at is None
    assert [(row.key, row.kind) for row in store.runs.checkpoints("r")] == [("1", "hook")]
    assert store.finder.hook("another") is None


def test_a_hook_has_one_answer(store: Store) -> None:
    """The first; sent again it finds itself, and another one is told so and refuses nothing else."""
    store.apply(W1, [opened("t")])
    assert store.apply(W1, [resolved("t")]) == store.apply(W2, [resolved("t")]) == [Accepted()]
    batch = [resolved("t", "n"), recorded("r", C1, "9")]
    assert store.apply(W1, batch) == [HookMissed("resolved"), Accepted()]
    assert answers(store, "t") == ['"m"']
    assert store.apply(W1, [taken("t")]) == [Accepted()]
    assert store.apply(W1, [resolved("t")]) == [Accepted()]
    assert store.apply(W1, [resolved("t", "n")]) == [HookMissed("resolved")]
    assert answers(store, "t") == []


def test_an_outsider_answers(store: Store) -> None:
    """Without a worker's right to write, beside runs that it makes."""
    store.apply(W1, [opened("t")])
    assert store.create([resolved("t"), created("s")]) == [Accepted(), Accepted()]
    assert store.create([resolved("t"), resolved("t", "n"), resolved("u", "o")]) == [
        Accepted(),
        HookMissed("resolved"),
        HookMissed("unknown"),
    ]
    assert answers(store, "t") == ['"m"']
    assert [told.run_id for told in store.hear(W1, ()).told] == ["r"]


def test_one_batch_opens_and_resolves(store: Store) -> None:
    """Of two answers in it the first is accepted, and of two hooks of one token the first has it."""
    batch = [opened("t"), opened("t", "3"), resolved("t"), resolved("t", "n"), resolved("nobody's", "o")]
    verdicts = [Accepted(), HookMissed("taken"), Accepted(), HookMissed("resolved"), HookMissed("unknown")]
    assert store.apply(W1, batch) == verdicts
    assert store.apply(W1, batch) == verdicts
    assert answers(store, "t") == ['"m"']


def test_a_timeout_closes_the_hook_in_the_commit_of_its_checkpoint(store: Store) -> None:
    """Whoever comes later is told so."""
    store.apply(W1, [opened("t")])
    entry = timed_out("t")
    assert store.apply(W1, [entry]) == store.apply(W1, [entry]) == [Accepted()]
    row = store.finder.hook("t")
    assert row is not None
    assert row.closed_at is not None
    assert store.apply(W1, [resolved("t")]) == [HookMissed("closed")]
    assert answers(store, "t") == []
    assert store.apply(W1, [timed_out("t", "3")]) == [Accepted()]


def test_an_accepted_answer_is_never_too_late(store: Store) -> None:
    """The timeout is told so, and nothing is recorded under its key."""
    store.apply(W1, [opened("t"), resolved("t")])
    assert store.apply(W1, [timed_out("t"), recorded("r", C1, "9")]) == [HookMissed("resolved"), Accepted()]
    assert store.apply(W1, [taken("t")]) == [Accepted()]
    assert [row.key for row in store.runs.checkpoints("r")] == ["1", "9", "2"]


@pytest.mark.parametrize("first", ["answer", "timeout"])
def test_in_one_batch_the_first_decides(store: Store, first: str) -> None:
    """Whatever the order in which kinds are written."""
    store.apply(W1, [opened("t")])
    if first == "answer":
        assert store.apply(W1, [resolved("t"), timed_out("t")]) == [Accepted(), HookMissed("resolved")]
    else:
        assert store.apply(W1, [timed_out("t"), resolved("t")]) == [Accepted(), HookMissed("closed")]


def test_nobody_answers_a_run_that_has_ended(store: Store) -> None:
    """Nor what does not exist; with the run's state."""
    store.apply(W1, [opened("t"), finished("r", C1)])
    assert store.apply(W1, [resolved("t"), resolved("u", "n")]) == [
        HookMissed("ended", "succeeded"),
        HookMissed("unknown"),
    ]


def test_a_run_opens_and_answers_under_its_claim_only(store: Store) -> None:
    """Rule 2: who has lost the run does nothing more."""
    store.apply(W1, [opened("t"), created("s", held_as=C2), released("s", C2), released("r", C1)])
    for entry in (opened("u", "3"), resolved("t", claim=C2), timed_out("t")):
        [verdict] = store.apply(W1, [entry])
        assert isinstance(verdict, Refused)
    row = store.finder.hook("t")
    assert row is not None
    assert row.resolved_at is row.closed_at is store.finder.hook("u") is None


def test_a_token_is_one_hooks_until_that_is_over(store: Store) -> None:
    """Closed, its answer received, or its run ended."""
    store.apply(W1, [opened("t"), created("s", held_as=C2)])
    again = opened("t", run_id="s", claim=C2)
    assert store.apply(W1, [again]) == [HookMissed("taken")]
    store.apply(W1, [resolved("t")])
    assert store.apply(W1, [again]) == [HookMissed("taken")]
    store.apply(W1, [taken("t")])
    assert store.apply(W1, [again]) == [Accepted()]
    assert store.apply(W1, [opened("t", "5")]) == [HookMissed("taken")]
    assert store.apply(W1, [timed_out("t", run_id="s", claim=C2)]) == [Accepted()]
    assert store.apply(W1, [opened("t", "5")]) == [Accepted()]
    store.apply(W1, [finished("r", C1)])
    assert store.apply(W1, [opened("t", "7", "s", C2)]) == [Accepted()]
    assert store.apply(W1, [resolved("t", "n", "5")]) == [HookMissed("closed")]
    assert store.apply(W1, [resolved("t", "n", "7", "s")]) == [Accepted()]


@pytest.mark.parametrize("is_known", [False, True], ids=["all new", "one known"])
@pytest.mark.parametrize(("run_id", "holds"), [("r", C1), ("s", C2)], ids=["its own run", "another"])
def test_a_token_is_free_in_the_batch_that_receives_the_answer(
    store: Store, run_id: str, holds: str, is_known: bool
) -> None:
    """A run that asks again under the same token does so as soon as it was answered: both are one commit."""
    store.apply(W1, [opened("t"), created("s", held_as=C2), resolved("t"), recorded("r", C1, "7")])
    again = opened("t", "3", run_id, holds)
    batch = [recorded("r", C1, "7"), taken("t"), again] if is_known else [taken("t"), again]
    assert store.apply(W1, batch) == [Accepted()] * len(batch)
    assert store.apply(W1, [resolved("t", "n", "3", run_id)]) == [Accepted()]
    assert answers(store, "t", run_id) == ['"n"']


def forget_checkpoints(url: str) -> None:
    """As a run that is started anew does."""
    if url.startswith("postgres"):
        with psycopg.connect(url) as server:
            server.execute("DELETE FROM perdure.checkpoints")
    else:
        with sqlite3.connect(url) as file:
            file.execute("DELETE FROM checkpoints")
        file.close()


def test_a_call_opens_its_own_hook_anew(store: Store, store_url: str) -> None:
    """As of a run that is started anew: what its former life was answered is nothing to it."""
    store.apply(W1, [opened("t"), resolved("t"), released("r", C1)])
    assert len(claim(store, W1, claims=[C3])) == 1
    forget_checkpoints(store_url)
    assert answers(store, "t") == ['"m"']
    assert store.apply(W1, [opened("t", claim=C3)]) == [Accepted()]
    assert answers(store, "t") == []
    assert store.apply(W1, [resolved("t", "n")]) == [Accepted()]
    assert answers(store, "t") == ['"n"']


def test_an_answer_to_a_former_round_is_nothing_to_the_next(store: Store) -> None:
    """Of a run that goes on as a new one, and opens a hook under the same token, at the same call or another."""
    store.apply(W1, [opened("t"), opened("u", "2"), resolved("t"), resolved("u", "n", "2")])
    store.apply(W1, [RunContinued("r", C1, Stored("json", "[]"))])
    assert len(claim(store, W1, claims=[C3])) == 1
    batch = [opened("t", claim=C3), opened("u", "3", claim=C3, entry_id="another")]
    assert store.apply(W1, batch) == [Accepted(), Accepted()]
    assert answers(store, "t") == answers(store, "u") == []
    assert store.apply(W1, [resolved("u", "o", "3")]) == [Accepted()]
    assert answers(store, "u") == ['"o"']


@pytest.mark.parametrize("comes", ["before", "after"])
def test_a_parked_run_wakes_for_its_answer(store: Store, comes: str) -> None:
    """Whether it came before or after the park."""
    store.apply(W1, [opened("t"), opened("u", "2")])
    park = parked("r", C1)
    park.waits_for = (Wait("message", "hook:t"),)
    if comes == "before":
        store.apply(W1, [resolved("t"), park])
    else:
        store.apply(W1, [park])
        store.create([resolved("u", "n", "2")])
        assert claim(store, W2) == []
        store.create([resolved("t")])
    assert [run.run_id for run in claim(store, W2)] == ["r"]


def test_a_thousand_hooks_are_one_batch(store: Store) -> None:
    """Opened, resolved and received."""
    names = [f"t{number}" for number in range(300)]
    assert store.apply(W1, [opened(name, name) for name in names]) == [Accepted()] * 300
    assert store.create([resolved(name, name, name) for name in names]) == [Accepted()] * 300
    assert store.apply(W1, [taken(name, name, f"{name} taken") for name in names]) == [Accepted()] * 300


def race(ours: Store, theirs: Store, number: int) -> tuple[Verdict, Verdict]:
    """An answer and a timeout at the same moment."""
    token, key = f"t{number}", f"k{number}"
    ours.apply(W1, [opened(token, key)])
    gate = threading.Barrier(2)
    told: list[Verdict] = []

    def answer() -> None:
        gate.wait(60)
        told.extend(theirs.create([resolved(token, token, key)]))

    thread = threading.Thread(target=answer)
    thread.start()
    gate.wait(60)
    [late] = ours.apply(W1, [timed_out(token, f"{key} late", key)])
    thread.join(60)
    return told[0], late


@pytest.mark.parametrize("rounds", [30, pytest.param(2000, marks=pytest.mark.long)])
def test_of_an_answer_and_a_timeout_one_is_accepted(store: Store, open_another: OpenAnother, rounds: int) -> None:
    """Never both, never none; and the accepted answer can be received."""
    other = open_another()
    for number in range(rounds):
        if random.random() < 0.1:  # noqa: S311  # either may come first
            other.finder.hook("t0")
        answered, late = race(store, other, number)
        assert (answered, late) in ((Accepted(), HookMissed("resolved")), (HookMissed("closed"), Accepted()))
        assert answers(store, f"t{number}") == ([f'"t{number}"'] if answered == Accepted() else [])
