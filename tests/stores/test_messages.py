"""The contract of messages: sent once to runs that have not ended, received once, in their order."""

from __future__ import annotations

import pytest

from perdure._entries import Accepted, Refused, Undelivered, Wait
from perdure.stores.protocol import Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    W1,
    W2,
    WORK,
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
    sent,
    state,
)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def waiting(store: Store, run_id: str = "r", topic: str = "a", most: int = 100) -> list[str]:
    """What waits to be received."""
    return [arrival.arrival_id for arrival in arrived(store, run_id, topic, most)]


def ids(*names: str) -> list[str]:
    """The messages' ids."""
    return [named_uuid(name) for name in names]


def test_messages_wait_in_the_order_of_their_sending(store: Store) -> None:
    """Of a batch in its order; each topic by itself; as they were sent."""
    store.apply(W1, [created("r", held_as=C1), created("s")])
    store.apply(W1, [sent("r", "z"), sent("r", "b"), sent("r", "other", topic="b"), sent("s", "of another")])
    assert store.apply(W1, [sent("r", "a")]) == [Accepted()]
    assert waiting(store) == ids("z", "b", "a")
    assert waiting(store, topic="b") == ids("other")
    [arrival] = arrived(store, "s", "a", 1)
    assert arrival.value.text == '"of another"'


def test_a_message_that_is_sent_again_is_there_once(store: Store) -> None:
    """Also when it was received, or its receiver has ended: its own trace comes first."""
    store.apply(W1, [created("r", held_as=C1)])
    batch = [sent("r", "m"), sent("r", "n")]
    assert store.apply(W1, batch) == store.apply(W1, batch) == [Accepted(), Accepted()]
    assert waiting(store) == ids("m", "n")
    store.apply(W1, [received("r", C1, "m"), finished("r", C1)])
    assert store.apply(W1, [*batch, sent("r", "o")]) == [Accepted(), Accepted(), Undelivered("succeeded")]


def test_a_message_to_nobody_refuses_nothing_else(store: Store) -> None:
    """The others of its batch and of its claim are written."""
    store.apply(W1, [created("r", held_as=C1)])
    batch = [sent("nobody", "m", C1), sent("r", "n", C1), recorded("r", C1), sent("r", "o")]
    assert store.apply(W1, batch) == [Undelivered(None), Accepted(), Accepted(), Accepted()]
    assert waiting(store) == ids("n", "o")
    assert store.apply(W1, batch) == [Undelivered(None), Accepted(), Accepted(), Accepted()]


def test_a_run_sends_under_its_claim_only(store: Store) -> None:
    """Rule 2: who has lost the run sends nothing more."""
    store.apply(W1, [created("r"), created("s", held_as=C1), released("s", C1)])
    [verdict] = store.apply(W1, [sent("r", "m", C1)])
    assert isinstance(verdict, Refused)
    assert waiting(store) == []


def test_a_message_reaches_a_run_that_is_made_in_its_batch(store: Store) -> None:
    """Creations are written first; and before the sender's end."""
    store.apply(W1, [created("p", held_as=C1)])
    batch = [created("c", claim=C1, parent_id="p", parent_key="0"), sent("c", "m", C1), finished("p", C1)]
    assert store.apply(W1, batch) == [Accepted(), Accepted(), Accepted("succeeded")]
    assert waiting(store, "c") == ids("m")


def test_a_message_is_consumed_by_the_checkpoint_that_receives_it(store: Store) -> None:
    """In one commit; sent again it finds itself, and no other call receives it."""
    store.apply(W1, [created("r", held_as=C1), sent("r", "m"), sent("r", "n")])
    assert store.apply(W1, [received("r", C1, "m")]) == [Accepted()]
    assert waiting(store) == ids("n")
    assert store.apply(W1, [received("r", C1, "m")]) == [Accepted()]
    [verdict] = store.apply(W1, [received("r", C1, "m", "2")])
    assert isinstance(verdict, Refused)
    assert [(row.key, row.kind, row.outcome.text) for row in store.runs.checkpoints("r")] == [("1", "recv", '"m"')]


def test_nobody_receives_under_a_claim_that_is_over(store: Store) -> None:
    """The message waits for who has the run now."""
    store.apply(W1, [created("r", held_as=C1), sent("r", "m"), released("r", C1)])
    [verdict] = store.apply(W1, [received("r", C1, "m")])
    assert isinstance(verdict, Refused)
    assert waiting(store) == ids("m")


def test_that_none_came_is_recorded_and_consumes_nothing(store: Store) -> None:
    """As an outcome of the call."""
    store.apply(W1, [created("r", held_as=C1), sent("r", "m")])
    assert store.apply(W1, [received("r", C1, None)]) == [Accepted()]
    assert waiting(store) == ids("m")
    assert store.runs.checkpoints("r")[0].is_error


def test_received_and_recorded_in_one_batch(store: Store) -> None:
    """Both kinds of checkpoints, new and sent again, are judged each by its own trace."""
    store.apply(W1, [created("r", held_as=C1), sent("r", "m"), recorded("r", C1, "0")])
    batch = [recorded("r", C1, "0"), received("r", C1, "m", "1"), recorded("r", C1, "2")]
    assert store.apply(W1, batch) == store.apply(W1, batch) == [Accepted()] * 3
    assert [row.key for row in store.runs.checkpoints("r")] == ["0", "2", "1"]


@pytest.mark.parametrize("comes", ["before", "after"])
def test_a_parked_run_wakes_for_its_topic(store: Store, comes: str) -> None:
    """Whether the message came before or after the park; one of another topic does not wake it."""
    store.apply(W1, [created("r", held_as=C1), sent("r", "other", topic="b")])
    park = parked("r", C1)
    park.waits_for = (Wait("message", "a"),)
    if comes == "before":
        store.apply(W1, [sent("r", "m"), park])
    else:
        store.apply(W1, [park])
        assert claim(store, W2) == []
        store.apply(W1, [sent("r", "n", topic="b")])
        assert claim(store, W2) == []
        store.apply(W1, [sent("r", "m")])
    assert [run.run_id for run in claim(store, W2)] == ["r"]


def test_the_holder_is_told_of_a_message(store: Store) -> None:
    """At once, unless it has sent it itself."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [sent("r", "m")])
    assert not store.pulse(W1, [""], [WORK]).has_mail
    store.apply(W2, [sent("r", "n")])
    assert store.pulse(W1, [""], [WORK]).has_mail
    assert [told.run_id for told in store.hear(W1, ()).told] == ["r"]


def test_a_message_outlives_the_worker_that_holds_its_receiver(store: Store) -> None:
    """It waits for whoever claims the run next."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W2, [sent("r", "m")])
    store.workers.take_over(W1)
    assert state(store, "r") == "ready"
    [run] = claim(store, W2, 1, claims=[C2])
    assert run.run_id == "r"
    assert waiting(store) == ids("m")
    assert store.apply(W2, [received("r", C2, "m")]) == [Accepted()]


def test_an_open_message_is_no_cancel(store: Store) -> None:
    """Nobody is told that the run is to end, and nothing is swept."""
    store.apply(W1, [created("r", held_as=C1), created("s")])
    store.apply(W2, [sent("r", "m"), sent("s", "n")])
    assert not any(told.is_cancelled for told in store.hear(W1, ()).told)
    assert store.cancels.sweep() == []
    assert not store.runs.histories(["r"])[0].is_cancelled
    assert store.apply(W1, [finished("r", C1)]) == [Accepted("succeeded")]


def test_a_thousand_messages_are_one_batch(store: Store) -> None:
    """In order, and as many are read as are asked for."""
    store.apply(W1, [created("r", held_as=C3)])
    names = [f"m{number}" for number in range(1000)]
    assert store.apply(W1, [sent("r", name) for name in names]) == [Accepted()] * 1000
    assert waiting(store) == ids(*names[:100])
