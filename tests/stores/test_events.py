"""The contract of events: the last of each key, and who waits for one is woken by it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from perdure._entries import Accepted, EventSeen, EventSet, Refused, Stored, Wait
from perdure.stores.protocol import Store
from tests.stores.entries import (
    C1,
    C2,
    W1,
    W2,
    OpenAnother,
    claim,
    created,
    finished,
    join,
    parked,
    recorded,
    released,
)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def event(run_id: str, claim: str, name: str, key: str = "1") -> EventSet:
    """The run says something."""
    stored = Stored("json", f'"{name} {key}"')
    return EventSet(run_id, claim, f"event {key}", key, "event", name, "f", False, stored)


def waiting_for(run_id: str, name: str, by: str, claim: str) -> Any:
    """A run that is parked until another one says something."""
    park = parked(by, claim)
    park.waits_for = (Wait("event", name, run_id=run_id),)
    return park


def seen(text: str | None, state: Any = "held") -> EventSeen:
    """What an outsider sees."""
    return EventSeen(state, None if text is None else Stored("json", f'"{text}"'))


def test_the_last_event_of_a_key_counts(store: Store) -> None:
    """Many runs and keys are asked for at once; none there, and no run there, are told apart."""
    store.apply(W1, [created("r", held_as=C1), created("s")])
    batch = [event("r", C1, "a", "1"), event("r", C1, "b", "2"), event("r", C1, "a", "3")]
    assert store.apply(W1, batch) == [Accepted()] * 3
    asked = [("r", "a"), ("s", "a"), ("r", "b"), ("nobody", "a"), ("r", "c")]
    assert store.said.events(asked) == [
        seen("a 3"),
        seen(None, "ready"),
        seen("b 2"),
        EventSeen(None, None),
        seen(None),
    ]
    store.apply(W1, [event("r", C1, "a", "4"), finished("r", C1)])
    assert store.said.events([("r", "a")]) == [seen("a 4", "succeeded")]
    assert {key: stored.text for key, stored in store.said.all_events("r").items()} == {"a": '"a 4"', "b": '"b 2"'}
    assert store.said.all_events("s") == {}
    assert store.said.events([]) == []


def test_an_event_is_a_checkpoint(store: Store) -> None:
    """Sent again it finds itself; under a claim that is over, or a key that is taken, it is refused."""
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1, "0")])
    batch = [event("r", C1, "a", "1"), recorded("r", C1, "2")]
    assert store.apply(W1, batch) == store.apply(W1, batch) == [Accepted(), Accepted()]
    assert [(row.key, row.kind) for row in store.runs.checkpoints("r")] == [
        ("0", "step"),
        ("2", "step"),
        ("1", "event"),
    ]
    [verdict] = store.apply(W1, [event("r", C1, "a", "0")])
    assert isinstance(verdict, Refused)
    store.apply(W1, [released("r", C1)])
    [verdict] = store.apply(W1, [event("r", C1, "a", "5")])
    assert isinstance(verdict, Refused)
    assert store.said.events([("r", "a")]) == [seen("a 1", "ready")]


@pytest.mark.parametrize("comes", ["before", "after", "with"])
def test_a_parked_run_wakes_for_the_event(store: Store, comes: str) -> None:
    """Whether it was set before the park, after it, or in its batch; another key, or run, does not wake it."""
    store.apply(W1, [created("r", held_as=C1), created("w", held_as=C2), event("r", C1, "other", "0")])
    park = waiting_for("r", "a", "w", C2)
    if comes == "with":
        store.apply(W1, [park, event("r", C1, "a")])
    elif comes == "before":
        store.apply(W1, [event("r", C1, "a")])
        store.apply(W1, [park])
    else:
        store.apply(W1, [park])
        assert claim(store, W2) == []
        store.apply(W1, [event("r", C1, "b", "2")])
        assert claim(store, W2) == []
        store.apply(W1, [event("r", C1, "a")])
    assert [run.run_id for run in claim(store, W2)] == ["w"]


def test_a_parked_run_wakes_when_there_will_be_no_event(store: Store) -> None:
    """The other run ends, or is none."""
    store.apply(W1, [created("r", held_as=C1), created("w", held_as=C2)])
    store.apply(W1, [waiting_for("r", "a", "w", C2)])
    assert claim(store, W2) == []
    store.apply(W1, [finished("r", C1)])
    [run] = claim(store, W2)
    store.apply(W2, [waiting_for("nobody", "a", "w", run.claim)])
    assert [run.run_id for run in claim(store, W1)] == ["w"]


def test_no_wake_is_lost_where_a_park_and_an_event_meet(store: Store, open_another: OpenAnother) -> None:
    """Of two workers at once, again and again: whoever commits later, the waiter is claimable."""
    other = open_another()
    rounds = 30
    for number in range(rounds):
        setter, waiter = f"r{number}", f"w{number}"
        [c1, c2] = [f"{number:08d}-0000-4000-8000-00000000000{n}" for n in (1, 2)]
        store.apply(W1, [created(setter, held_as=c1)])
        other.apply(W2, [created(waiter, held_as=c2)])
        both = threading.Barrier(2)

        def park(both: threading.Barrier = both, setter: str = setter, waiter: str = waiter, c2: str = c2) -> None:
            both.wait(10)
            other.apply(W2, [waiting_for(setter, "a", waiter, c2)])
            other.hear(W2, ())

        thread = threading.Thread(target=park)
        thread.start()
        both.wait(10)
        store.apply(W1, [event(setter, c1, "a")])
        thread.join(10)
        assert [run.run_id for run in claim(store, W1)] == [waiter], number
