"""The contract of `cancels`: an acknowledged cancel decides, and reaches the children."""

from __future__ import annotations

import pytest

from perdure._entries import Accepted
from perdure.stores.protocol import Store
from tests.stores.entries import (
    C1,
    C2,
    C3,
    C4,
    W1,
    W2,
    WORK,
    cancels_told,
    child,
    claim,
    created,
    finished,
    join,
    parked,
    recorded,
    released,
    state,
)


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def sweep_all(store: Store) -> set[str]:
    """Sweep until nothing is left to sweep."""
    swept: set[str] = set()
    while found := store.cancels.sweep():
        swept.update(found)
    return swept


def test_a_cancel_before_the_finish_decides(store: Store) -> None:
    """An acknowledged cancel is never followed by success; the value is dropped (rule 8)."""
    store.apply(W1, [created("r", held_as=C1)])
    assert store.cancels.ask(["r"]) == ["r"]
    assert store.apply(W1, [finished("r", C1)]) == [Accepted("cancelled")]
    [ended] = store.runs.ended(["r"])
    assert (ended.state, ended.output) == ("cancelled", None)


def test_a_finish_before_the_cancel_decides(store: Store) -> None:
    """What has ended cannot be cancelled, and the asker hears it."""
    store.apply(W1, [created("r", held_as=C1), finished("r", C1)])
    assert store.cancels.ask(["r"]) == []
    [ended] = store.runs.ended(["r"])
    assert ended.state == "succeeded"
    assert store.cancels.sweep() == []


def test_a_resent_finish_of_a_cancelled_run_is_success(store: Store) -> None:
    """The same batch again hears the same verdict."""
    store.apply(W1, [created("r", held_as=C1)])
    store.cancels.ask(["r"])
    batch = [recorded("r", C1), finished("r", C1)]
    assert store.apply(W1, batch) == [Accepted(), Accepted("cancelled")]
    assert store.apply(W1, batch) == [Accepted(), Accepted("cancelled")]


def test_only_the_cancelled_run_of_a_batch_is_cancelled(store: Store) -> None:
    """Its neighbours in the batch end as they said."""
    store.apply(W1, [created("r", held_as=C1), created("s", held_as=C2)])
    store.cancels.ask(["r"])
    assert store.apply(W1, [finished("s", C2), finished("r", C1)]) == [Accepted("succeeded"), Accepted("cancelled")]
    assert [ended.output is None for ended in sorted(store.runs.ended(["r", "s"]), key=lambda e: e.run_id)] == [
        True,
        False,
    ]


def test_a_cancel_is_asked_for_once(store: Store) -> None:
    """Asking again changes nothing and is not an error."""
    store.apply(W1, [created("r", held_as=C1)])
    assert store.cancels.ask(["r"]) == ["r"]
    assert store.cancels.ask(["r"]) == ["r"]
    assert cancels_told(store, W1) == ["r"]


def test_a_run_that_does_not_exist_cannot_be_cancelled(store: Store) -> None:
    """No row, no promise."""
    assert store.cancels.ask(["nothing"]) == []


def test_the_holder_hears_of_the_cancel(store: Store) -> None:
    """By the pulse and by the history; others hear nothing."""
    store.apply(W1, [created("r", held_as=C1), created("s", held_as=C2)])
    store.cancels.ask(["r"])
    assert cancels_told(store, W1) == ["r"]
    assert cancels_told(store, W2) == []
    assert store.runs.histories(["r"])[0].is_cancelled is True
    assert store.runs.histories(["s"])[0].is_cancelled is False


def test_everybody_hears_of_a_cancel_that_came_while_the_run_was_put_down(store: Store) -> None:
    """Its holder is gone and did not see it: whoever looks next is to sweep."""
    store.apply(W1, [created("r", held_as=C1)])
    store.cancels.ask(["r"])
    store.apply(W1, [parked("r", C1, due_at=4e9)])
    assert store.hear(W1, ()).has_cancelled
    assert store.hear(W2, ()).has_cancelled
    assert sweep_all(store) == {"r"}
    assert not store.hear(W2, ()).has_cancelled
    assert not store.pulse(W2, [""], [WORK]).has_mail


def test_a_run_that_has_ended_is_not_in_the_pulse(store: Store) -> None:
    """A cancel is done with when its run is."""
    store.apply(W1, [created("r", held_as=C1)])
    store.cancels.ask(["r"])
    store.apply(W1, [finished("r", C1, "cancelled", None)])
    assert cancels_told(store, W1) == []


def test_what_nobody_holds_is_swept(store: Store) -> None:
    """Ready and parked runs end without their code; held ones are left to their holder."""
    store.apply(W1, [created("ready"), created("late", due_at=4e9)])
    store.apply(W1, [created("held", held_as=C1), created("parked", held_as=C2), created("broken", held_as=C3)])
    store.apply(W1, [parked("parked", C2, children_seen=3), parked("broken", C3, stopped="mend", reason="x")])
    for run_id in ("ready", "late", "held", "parked", "broken"):
        assert store.cancels.ask([run_id]) == [run_id]
    assert sweep_all(store) == {"ready", "late", "parked", "broken"}
    assert {run_id: state(store, run_id) for run_id in ("ready", "late", "held", "parked", "broken")} == {
        "ready": "cancelled",
        "late": "cancelled",
        "held": "cancelling",
        "parked": "cancelled",
        "broken": "cancelled",
    }
    assert claim(store, W1) == []


def test_children_are_cancelled_with_their_parent(store: Store) -> None:
    """Whoever ends the parent passes the cancel on to the unfinished children; the finished ones keep their value."""
    store.apply(W1, [created("p", held_as=C1)])
    children = [child("waiting", "p", C1), child("held", "p", C1, held_as=C2), child("done", "p", C1, held_as=C3)]
    store.apply(W1, [*children, finished("done", C3)])
    store.cancels.ask(["p"])
    store.apply(W1, [finished("p", C1)])
    assert sweep_all(store) == {"waiting"}
    assert cancels_told(store, W1) == ["held"]
    assert store.apply(W1, [finished("held", C2)]) == [Accepted("cancelled")]
    assert state(store, "done") == "succeeded"


def test_a_swept_tree_is_cancelled_to_its_leaves(store: Store) -> None:
    """Children of children are swept as well."""
    store.apply(W1, [created("a", held_as=C1), child("b", "a", C1, held_as=C2), child("c", "b", C2, held_as=C3)])
    store.apply(W1, [child("d", "c", C3), parked("a", C1, due_at=4e9), parked("b", C2, due_at=4e9)])
    store.apply(W1, [parked("c", C3, runs=("d",))])
    store.cancels.ask(["a"])
    assert sweep_all(store) == {"a", "b", "c", "d"}


def test_a_finish_that_says_cancelled_passes_it_on(store: Store) -> None:
    """The holder that unwinds a cancelled run says so itself, and the children follow."""
    store.apply(W1, [created("p", held_as=C1), child("c", "p", C1)])
    store.cancels.ask(["p"])
    store.apply(W1, [finished("p", C1, "cancelled", None)])
    assert sweep_all(store) == {"c"}


def test_a_child_made_with_the_parents_end_is_cancelled_too(store: Store) -> None:
    """The last batch may make a child and end the cancelled parent."""
    store.apply(W1, [created("p", held_as=C1)])
    store.cancels.ask(["p"])
    store.apply(W1, [child("c", "p", C1), finished("p", C1)])
    assert sweep_all(store) == {"c"}


def test_a_failed_or_dead_run_leaves_its_children_alone(store: Store) -> None:
    """Only a cancel travels down."""
    store.apply(W1, [created("p", held_as=C1, max_attempts=1), child("c", "p", C1)])
    store.apply(W1, [created("q", held_as=C2), child("d", "q", C2), finished("q", C2, "failed")])
    store.apply(W1, [released("p", C1, charged=True)])
    assert (state(store, "p"), state(store, "q")) == ("dead", "failed")
    assert sweep_all(store) == set()


def test_a_charged_release_of_a_cancelled_run_is_a_cancel(store: Store) -> None:
    """The cancel was acknowledged: the run must end as cancelled, not as dead."""
    store.apply(W1, [created("r", held_as=C1, max_attempts=1)])
    store.cancels.ask(["r"])
    store.apply(W1, [released("r", C1, charged=True)])
    sweep_all(store)
    assert state(store, "r") == "cancelled"


def test_a_parked_run_may_be_swept_while_others_run(store: Store) -> None:
    """The sweep touches nothing that is held."""
    store.apply(W1, [created("r", held_as=C1), created("s", held_as=C4), parked("r", C1, due_at=4e9)])
    store.cancels.ask(["r"])
    assert sweep_all(store) == {"r"}
    assert store.apply(W1, [recorded("s", C4), finished("s", C4)]) == [Accepted(), Accepted("succeeded")]


Told = list[list[str]]


@pytest.fixture
def told(store: Store) -> Told:
    """What the store tells of cancels, batch by batch."""
    heard: Told = []
    store.on_cancelled = lambda run_ids: heard.append(sorted(run_ids))
    return heard


@pytest.mark.parametrize("number", [1, 2])
def test_a_batch_tells_of_cancels_of_what_the_worker_holds(store: Store, told: Told, number: int) -> None:
    """Whichever runs the batch is of, until they have ended; nobody else's, and none without a cancel (rule 8)."""
    store.apply(W1, [created("r", held_as=C1), created("s", held_as=C2), created("ready")])
    store.apply(W2, [created("theirs", held_as=C3)])
    store.apply(W1, [recorded("s", C2, f"before {n}") for n in range(number)])
    assert told == []

    for run_id in ("r", "ready", "theirs"):
        store.cancels.ask([run_id])
    store.apply(W1, [recorded("s", C2, f"after {n}") for n in range(number)])
    assert told == [["r"]]

    store.apply(W1, [finished("r", C1)])
    told.clear()
    store.apply(W1, [finished("s", C2)])
    assert told == []
    store.apply(W2, [recorded("theirs", C3)])
    assert told == [["theirs"]]


def test_a_batch_of_which_an_entry_is_refused_tells_too(store: Store, told: Told) -> None:
    """It goes another way through the store."""
    store.apply(W1, [created("r", held_as=C1)])
    store.cancels.ask(["r"])
    store.apply(W1, [recorded("r", C1), recorded("nothing", C4)])
    assert told == [["r"]]


def test_a_held_run_that_is_cancelled_is_shown_as_cancelling(store: Store) -> None:
    """Without a change of its row, which a transactional step may have locked (rule 15)."""
    store.apply(W1, [created("r", held_as=C1)])
    assert state(store, "r") == "held"
    store.cancels.ask(["r"])
    assert state(store, "r") == "cancelling"
    store.apply(W1, [finished("r", C1)])
    assert state(store, "r") == "cancelled"


def test_a_run_that_nobody_has_cancelled_does_not_end_so(store: Store) -> None:
    """Who holds it was told of a cancel of the life before: it goes back, uncharged, as often as that is said."""
    store.apply(W1, [created("r", held_as=C1)])
    for batch in (
        [finished("r", C1, "cancelled", None)],
        [created("s", held_as=C2), finished("s", C2, "cancelled", None)],
    ):
        assert [store.apply(W1, batch)[-1] for _ in range(2)] == [Accepted("ready")] * 2
    assert {run.run_id: run.attempts for run in claim(store, W1)} == {"r": 1, "s": 1}
