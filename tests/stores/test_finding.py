"""Finding runs: which ones a filter finds, in which order, and how pages follow each other. On every store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from perdure._entries import Accepted, AttributesSet, Refused, Stored, Wait
from perdure.stores.finding import Page, Wanted, finder
from perdure.stores.protocol import Store
from tests.stores.entries import C1, C2, W1, child, created, finished, join, parked, recorded

MANY = 7


@pytest.fixture
def seven(store: Store) -> Store:
    """Runs r1 to r7, of two functions and two queues; r7 has failed, r6 is held, r5 waits for a mend, r4 has ended."""
    join(store, W1)
    claims = {f"r{number}": f"{number:08d}-0000-4000-8000-000000000000" for number in (4, 5, 6, 7)}
    store.apply(
        W1,
        [
            created(
                f"r{number}",
                name="app:odd" if number % 2 else "app:even",
                queue="docs" if number < 4 else "",
                held_as=claims.get(f"r{number}"),
            )
            for number in range(1, MANY + 1)
        ],
    )
    store.apply(
        W1,
        [
            finished("r4", claims["r4"]),
            parked("r5", claims["r5"], stopped="mend", reason="the code is another"),
            finished("r7", claims["r7"], "failed", '"a Value"'),
        ],
    )
    return store


def ids(page: Page) -> list[str]:
    """Which runs it has."""
    return [run.run_id for run in page.runs]


def find(store: Store, **wanted: Any) -> list[str]:
    """The ids of all that is found, in pages of two."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        page = store.finder.page(Wanted(**wanted), 2, cursor)
        found += ids(page)
        if page.cursor is None:
            return found
        cursor = page.cursor


def test_all_runs_come_in_pages_the_newest_first(seven: Store) -> None:
    """Each page goes on where the one before ended; the last has no cursor."""
    first = seven.finder.page(Wanted(), 3)
    second = seven.finder.page(Wanted(), 3, first.cursor)
    third = seven.finder.page(Wanted(), 3, second.cursor)
    assert (ids(first), ids(second), ids(third)) == (["r7", "r6", "r5"], ["r4", "r3", "r2"], ["r1"])
    assert third.cursor is None


def test_pages_stay_as_they_are_while_runs_come(seven: Store) -> None:
    """What is newer than the first page is in none of the next ones."""
    first = seven.finder.page(Wanted(), 3)
    seven.create([created("later")])
    assert ids(seven.finder.page(Wanted(), 3, first.cursor)) == ["r4", "r3", "r2"]


def test_a_full_last_page_has_no_cursor(seven: Store) -> None:
    """There is nothing after it."""
    assert seven.finder.page(Wanted(), MANY).cursor is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"name": "app:even"}, ["r6", "r4", "r2"]),
        ({"queue": "docs"}, ["r3", "r2", "r1"]),
        ({"states": ("failed", "dead")}, ["r7"]),
        ({"states": ("held",)}, ["r6"]),
        ({"states": ("parked", "succeeded")}, ["r5", "r4"]),
        ({"states": ("ready",), "name": "app:odd"}, ["r3", "r1"]),
        ({"states": ("ready", "held", "cancelling", "parked")}, ["r6", "r5", "r3", "r2", "r1"]),
        ({"states": ("ready", "parked"), "queue": ""}, ["r5"]),
        ({"states": ("failed",), "name": "app:even"}, []),
        ({"id_prefix": "r"}, ["r7", "r6", "r5", "r4", "r3", "r2", "r1"]),
        ({"id_prefix": "r3"}, ["r3"]),
        ({"id_prefix": "r", "queue": "docs"}, ["r3", "r2", "r1"]),
        ({"text": "CODE is"}, ["r5"]),
        ({"text": "a value"}, ["r7"]),
        ({"text": '["r2"]'}, ["r2"]),
        ({"since": 4e9}, []),
        ({"until": 1e9}, []),
        ({"since": 1e9, "until": 4e9, "name": "app:even"}, ["r6", "r4", "r2"]),
    ],
    ids=str,
)
def test_a_filter_finds_what_it_says(seven: Store, wanted: dict[str, Any], found: Sequence[str]) -> None:
    """All of its parts must be so."""
    assert find(seven, **wanted) == found


def test_children_are_found_by_their_parent(store: Store) -> None:
    """The newest first, a page at a time."""
    join(store, W1)
    store.apply(W1, [created("parent", held_as=C1), *(child(f"c{number}", "parent", C1) for number in range(5))])
    assert find(store, parent_id="parent") == ["c4", "c3", "c2", "c1", "c0"]
    assert find(store, parent_id="c0") == []


def test_a_cancelled_run_that_is_held_is_found_as_cancelling(seven: Store) -> None:
    """And as held no more: that is what its handle says, too."""
    seven.cancels.ask(["r6"])
    assert find(seven, states=("held",)) == []
    assert find(seven, states=("cancelling",)) == ["r6"]
    [run] = seven.finder.page(Wanted(states=("cancelling",)), 2).runs
    assert run.state == "cancelling"


def test_what_no_index_knows_is_looked_for_in_so_many_runs_a_page(
    seven: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a page may be empty, and says where to go on."""
    monkeypatch.setattr(finder, "LOOKED", 3)
    monkeypatch.setattr(finder, "LOOKED_INTO", 3)
    monkeypatch.setattr(finder, "LOOKED_THROUGH", 3)
    first = seven.finder.page(Wanted(queue="docs"), 10)
    assert (ids(first), first.cursor is None) == ([], False)
    for wanted, found in (
        (Wanted(queue="docs"), ["r3", "r2", "r1"]),
        (Wanted(queue="docs", name="app:odd"), ["r3", "r1"]),
        (Wanted(queue="docs", id_prefix="r"), ["r3", "r2", "r1"]),
        (Wanted(name="app:even", states=("ready", "held")), ["r6", "r2"]),
        (Wanted(name="app:odd", states=("ready", "parked")), ["r5", "r3", "r1"]),
        (Wanted(text="docs", states=("ready",)), []),
    ):
        pages, cursor = [], ""
        while cursor is not None:
            page = seven.finder.page(wanted, 10, cursor or None)
            pages, cursor = pages + ids(page), page.cursor  # type: ignore[assignment]  # the loop ends by None
        assert pages == found


def test_one_run_comes_with_all_that_is_recorded_of_it(store: Store) -> None:
    """Its values as they are stored, its steps in their order, its children, what it was told, what it waits for."""
    join(store, W1)
    store.apply(
        W1,
        [
            created("parent", held_as=C1),
            recorded("parent", C1, "1"),
            child("child", "parent", C1, held_as=C2),
            recorded("parent", C1, "2", is_error=True, attempts=3, arguments="[1]"),
            finished("child", C2, "failed", '"no"'),
            parked("parent", C1, children_seen=1, runs=("other",)),
        ],
    )
    store.cancels.ask(["parent"])
    record = store.finder.record("parent", 100)
    assert record is not None
    assert record.run.run_id == "parent"
    assert record.input is not None
    assert record.input.text == '["parent"]'
    assert record.output is None
    assert {step.kind for step in record.steps} == {"step", "child"}
    steps = [step for step in record.steps if step.kind == "step"]
    assert [(step.key, step.is_error, step.attempts, step.arguments) for step in steps] == [
        ("1", False, 1, None),
        ("2", True, 3, "[1]"),
    ]
    assert [(run.run_id, run.state) for run in record.children] == [("child", "failed")]
    assert [message.kind for message in record.messages] == ["cancel"]
    assert record.waits_for == [Wait("children", seen=1), Wait("run", "other")]
    of_child = store.finder.record("child", 100)
    assert of_child is not None
    assert of_child.output is not None
    assert of_child.output.text == '"no"'
    assert store.finder.record("nobody", 100) is None


def attributes(claim: str, key: str, **given: str | None) -> AttributesSet:
    """What the run `r` says of itself."""
    return AttributesSet("r", claim, f"set {key}", key, "f3", Stored("json", "{}"), given)


def test_runs_are_found_by_the_attributes_that_they_were_given(store: Store) -> None:
    """By one, or by all of several; by a worker or an outsider; whatever becomes of the run in the same batch."""
    join(store, W1)
    store.create([created("a", attributes={"customer": "1", "kind": "x"}), created("b")])
    store.apply(
        W1,
        [
            created("c", attributes={"customer": "1", "kind": "y"}, held_as=C1),
            created("d", attributes={"customer": "2"}, held_as=C2),
            finished("d", C2),
        ],
    )
    assert find(store, attributes={"customer": "1"}) == ["c", "a"]
    assert find(store, attributes={"customer": "1", "kind": "x"}) == ["a"]
    assert find(store, attributes={"customer": "2"}, states=("succeeded",)) == ["d"]
    assert find(store, attributes={"customer": "3"}) == []
    record = store.finder.record("c", 10)
    assert record is not None
    assert record.attributes == {"customer": "1", "kind": "y"}


def test_a_run_changes_its_attributes(store: Store) -> None:
    """The last of a name counts, None takes it away; sent again it is success, and changes nothing."""
    join(store, W1)
    store.apply(W1, [created("r", held_as=C1, attributes={"a": "0"})])
    batch = [attributes(C1, "1", a="1", b="1", c="1"), recorded("r", C1, "2"), attributes(C1, "3", a="2", b=None)]
    assert store.apply(W1, batch) == [Accepted(), Accepted(), Accepted()]
    record = store.finder.record("r", 10)
    assert record is not None
    assert record.attributes == {"a": "2", "c": "1"}
    assert [step.kind for step in record.steps if step.key != "2"] == ["attributes", "attributes"]
    again = [*batch, attributes(C1, "4", a="3"), finished("r", C1)]
    assert store.apply(W1, again)[:4] == [Accepted()] * 4
    assert store.apply(W1, again)[:4] == [Accepted()] * 4
    assert find(store, attributes={"a": "3"}) == ["r"]
    assert find(store, attributes={"a": "2"}) == []


def test_attributes_of_a_claim_that_is_over_are_refused(store: Store) -> None:
    """Nothing of them is kept."""
    join(store, W1)
    store.apply(W1, [created("r", held_as=C1)])
    assert isinstance(store.apply(W1, [attributes(C2, "1", a="1")])[0], Refused)
    assert find(store, attributes={"a": "1"}) == []
