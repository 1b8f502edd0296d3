"""The contract of a run that goes on as a new one: its claim and its history end, its row stays, in one commit."""

from __future__ import annotations

import pytest

from perdure._entries import Accepted, EventSet, HookOpened, Refused, RunContinued, Stored
from perdure.stores.protocol import ClaimRequest, Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    C4,
    W1,
    W2,
    WORK,
    arrived,
    child,
    claim,
    created,
    finished,
    join,
    parked,
    received,
    recorded,
    sent,
    state,
)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def continued(run_id: str, claim: str, text: str = "[1]") -> RunContinued:
    """The end of a life."""
    return RunContinued(run_id, claim, Stored("json", text))


def test_a_run_goes_on_as_a_new_one(store: Store) -> None:
    """Ready for anybody, with the new arguments, and nothing recorded; another round of the same run."""
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1), recorded("r", C1, "2", kind="value")])
    assert store.apply(W1, [recorded("r", C1, "3"), continued("r", C1)]) == [Accepted(), Accepted("ready")]
    assert store.runs.checkpoints("r") == []
    assert store.pulse(W2, [""], [WORK]).has_claimable
    [run] = claim(store, W2)
    assert (run.run_id, run.input.text, run.rounds, run.attempts, run.is_fresh) == ("r", "[1]", 1, 1, True)
    row = store.runs.row("r")
    assert row is not None
    assert row.fingerprint == "f1", "whoever starts it again under its id finds it"


def test_a_claim_finds_it_behind_its_floor(store: Store) -> None:
    """It is older than what was claimed lately, and told so."""
    store.apply(W1, [created("r", held_as=C1), created("later")])
    claimed = store.claim(W1, ClaimRequest({"": 2}, [WORK]), [C2, C3])
    assert [run.run_id for run in claimed.runs] == ["later"]
    store.apply(W1, [continued("r", C1)])
    again = store.claim(W1, ClaimRequest({"": 2}, [WORK], floors=claimed.floors), [C4, C3])
    assert [run.run_id for run in again.runs] == ["r"]


def test_sent_again_it_finds_itself(store: Store) -> None:
    """Also where the next round is held already; and nothing can be added under the claim that is over."""
    store.apply(W1, [created("r", held_as=C1)])
    for _ in range(2):
        assert store.apply(W1, [continued("r", C1)]) == [Accepted("ready")]
    [run] = claim(store, W2)
    assert run.rounds == 1
    [refused] = store.apply(W1, [recorded("r", C1)])
    assert isinstance(refused, Refused)
    [refused] = store.apply(W2, [continued("r", C4)])
    assert isinstance(refused, Refused)
    assert store.apply(W2, [continued("r", run.claim, "[2]")]) == [Accepted("ready")]


def test_an_acknowledged_cancel_decides(store: Store) -> None:
    """No new life begins (rule 8)."""
    store.apply(W1, [created("r", held_as=C1)])
    assert store.cancels.ask(["r"])
    assert store.apply(W1, [continued("r", C1)]) == [Accepted("cancelled")]
    assert state(store, "r") == "cancelled"


def test_a_whole_life_in_one_batch(store: Store) -> None:
    """Beside others that end."""
    entries = [created("r", held_as=C1), created("s", held_as=C2), recorded("r", C1), continued("r", C1)]
    verdicts = store.apply(W1, [*entries, finished("s", C2)])
    assert verdicts[-2:] == [Accepted("ready"), Accepted("succeeded")]
    assert (state(store, "r"), state(store, "s")) == ("ready", "succeeded")


def test_what_others_have_sent_stays(store: Store) -> None:
    """What was received is gone with its call, and is not received again."""
    store.apply(W1, [created("r", held_as=C1), sent("r", "first"), sent("r", "second")])
    store.apply(W1, [received("r", C1, "first")])
    store.apply(W1, [continued("r", C1)])
    assert [arrival.value.text for arrival in arrived(store, "r", "a")] == ['"second"']


def test_the_last_of_each_event_stays(store: Store) -> None:
    """Whoever asks is answered, however many rounds ago it was said."""

    def said(key: str, name: str, text: str) -> EventSet:
        return EventSet("r", C1, f"said {key}", key, "event", name, "f", False, Stored("json", text))

    store.apply(W1, [created("r", held_as=C1), said("0", "state", "1"), said("1", "state", "2"), said("2", "url", "3")])
    store.apply(W1, [continued("r", C1)])
    assert [(row.name, row.outcome.text) for row in store.runs.checkpoints("r")] == [("state", "2"), ("url", "3")]


def test_ended_children_are_nobodys(store: Store) -> None:
    """The next round counts none of them; those that go on end with the run's cancel."""
    store.apply(W1, [created("r", held_as=C1), child("ended", "r", C1, held_as=C2), child("open", "r", C1)])
    store.apply(W1, [finished("ended", C2), continued("r", C1)])
    [history] = store.runs.histories(["r"])
    assert [row.run_id for row in history.children] == ["open"]
    next_one = next(run for run in claim(store, W1, slots=2) if run.run_id == "r")
    store.apply(W1, [parked("r", next_one.claim, children_seen=0)])
    assert [run.run_id for run in claim(store, W1, slots=5)] == []
    assert store.cancels.ask(["r"])
    assert store.cancels.sweep() == ["r"]
    assert store.cancels.ask(["open"])


def test_hooks_are_over(store: Store) -> None:
    """No answer reaches an earlier round, and the next may open one under the same token."""

    def opened(number: str, key: str, claim: str) -> HookOpened:
        stored = Stored("json", "1")
        return HookOpened(
            "r", claim, number, key, "hook", "approve", "f", False, stored, None, 1, None, None, "door", key
        )

    store.apply(W1, [created("r", held_as=C1)])
    assert store.apply(W1, [opened("1", "0", C1), continued("r", C1)])[0] == Accepted()
    [run] = claim(store, W1)
    assert store.apply(W1, [opened("1", "1:0", run.claim)]) == [Accepted()]
