"""The contract of streams: offsets are given once, in order; what an earlier attempt has written is void, and told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from perdure._entries import Accepted, Refused, StreamRewound, StreamWritten
from perdure.stores.protocol import Store
from tests.stores.entries import C1, C2, W1, W2, claim_one, created, finished, join, recorded, released


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def written(run_id: str, claim: str, *texts: str, **changes: Any) -> StreamWritten:
    """Chunks that share a row."""
    values: dict[str, Any] = {"name": "s", "source": "0", "attempt": 1, "codec": "json", "texts": list(texts)}
    values |= changes
    entry_id = values.pop("entry_id", f"w {values['name']} {values['source']} {values['attempt']} {texts}")
    return StreamWritten(run_id, claim, entry_id, **values)


def closed(run_id: str, claim: str, **changes: Any) -> StreamWritten:
    """The end of the stream."""
    return written(run_id, claim, is_closed=True, source="*", attempt=0, entry_id="closed", **changes)


def rewound(run_id: str, claim: str, attempt: int, source: str = "0") -> StreamRewound:
    """Another attempt begins."""
    return StreamRewound(run_id, claim, f"r {source} {attempt}", source, attempt)


def rows(store: Store, start: int = 0, run_id: str = "r", name: str = "s") -> list[tuple[Any, ...]]:
    """Offset, and the chunks, or what else there is."""
    [seen] = store.said.chunks([(run_id, name, start)])
    assert seen.is_all
    return [
        (row.first, *(json.loads(row.body) if row.body is not None else (row.kind, row.since))) for row in seen.rows
    ]


def test_chunks_have_offsets_in_their_order(store: Store) -> None:
    """Of each stream by itself; entries of one batch follow each other."""
    store.apply(W1, [created("r", held_as=C1), created("q", held_as=C2)])
    batch = [
        written("r", C1, "a", "b"),
        written("r", C1, "c"),
        written("r", C1, "x", name="t"),
        written("q", C2, "y"),
        written("r", C1, "d", source="1"),
    ]
    assert store.apply(W1, batch) == [Accepted()] * 5
    assert store.apply(W1, [written("r", C1, "e", "f")]) == [Accepted()]
    assert rows(store) == [(0, "a", "b"), (2, "c"), (3, "d"), (4, "e", "f")]
    assert rows(store, name="t") == [(0, "x")]
    assert rows(store, run_id="q") == [(0, "y")]
    assert store.said.streams("r") == [("s", 6, False), ("t", 1, False)]


def test_they_are_read_from_any_offset(store: Store) -> None:
    """The row that has it comes whole; many streams are asked for at once; a run that is none has no state."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [written("r", C1, "a", "b", "c"), written("r", C1, "d")])
    assert rows(store, 2) == [(0, "a", "b", "c"), (3, "d")]
    assert rows(store, 3) == [(3, "d")]
    assert rows(store, 4) == rows(store, 400) == []
    found = store.said.chunks([("r", "s", 3), ("nobody", "s", 0), ("r", "none", 0), ("r", "s", 0)])
    assert [(seen.state, len(seen.rows), seen.has_ended) for seen in found] == [
        ("held", 1, False),
        (None, 0, True),
        ("held", 0, False),
        ("held", 2, False),
    ]
    store.apply(W1, [finished("r", C1)])
    [seen] = store.said.chunks([("r", "s", 4)])
    assert seen.has_ended


def test_more_than_one_look_gives_is_said(store: Store) -> None:
    """The rest is asked for from where it ends."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [written("r", C1, f"{number}", entry_id=f"{number}") for number in range(130)])
    store.apply(W1, [finished("r", C1)])
    [first] = store.said.chunks([("r", "s", 0)])
    assert (len(first.rows), first.is_all, first.has_ended) == (100, False, False)
    [rest] = store.said.chunks([("r", "s", first.rows[-1].first + 1)])
    assert [row.first for row in (*first.rows, *rest.rows)] == list(range(130))
    assert rest.has_ended


def test_what_is_sent_again_is_there_once(store: Store) -> None:
    """Beside what is new, and after the run has ended."""
    store.apply(W1, [created("r", held_as=C1)])
    batch = [written("r", C1, "a"), closed("r", C1), finished("r", C1)]
    assert store.apply(W1, [written("r", C1, "a")]) == [Accepted()]
    assert store.apply(W1, batch) == store.apply(W1, batch) == [Accepted(), Accepted(), Accepted("succeeded")]
    assert rows(store) == [(0, "a"), (1, "closed", None)]
    assert store.said.streams("r") == [("s", 2, True)]


def test_who_has_lost_the_run_writes_nothing(store: Store) -> None:
    """Rule 2; neither chunks nor that they are void."""
    store.apply(W1, [created("r", held_as=C1), written("r", C1, "a"), released("r", C1)])
    for entry in (written("r", C1, "b"), rewound("r", C1, 2), closed("r", C1)):
        [verdict] = store.apply(W1, [entry])
        assert isinstance(verdict, Refused)
    assert rows(store) == [(0, "a")]


def test_a_new_attempt_makes_void_what_those_before_it_wrote(store: Store) -> None:
    """To every stream, and of this source only; offsets stay given."""
    store.apply(W1, [created("r", held_as=C1)])
    store.apply(W1, [written("r", C1, "a"), written("r", C1, "other", source="1"), written("r", C1, "x", name="t")])
    store.apply(W1, [written("r", C1, "b")])
    assert store.apply(W1, [rewound("r", C1, 2), written("r", C1, "A", attempt=2)]) == [Accepted()] * 2
    assert rows(store) == [(1, "other"), (3, "A"), (4, "rewound", 0)]
    assert rows(store, name="t") == [(1, "rewound", 0)]
    [seen] = store.said.chunks([("r", "s", 0)])
    assert seen.rows[1].tag == seen.rows[2].tag  # so a reader knows that this one stands


def test_two_attempts_in_one_batch(store: Store) -> None:
    """Of what is written there the last attempt's stands, whatever comes with it; sent again it is the same."""
    store.apply(W1, [created("r", held_as=C1)])
    batch = [
        written("r", C1, "a"),
        rewound("r", C1, 2),
        written("r", C1, "b", attempt=2),
        written("r", C1, "o", source="1"),
        rewound("r", C1, 3),
        written("r", C1, "c", attempt=3),
        rewound("r", C1, 2, "1"),
        recorded("r", C1),
    ]
    assert store.apply(W1, batch) == store.apply(W1, batch) == [Accepted()] * 8
    assert rows(store) == [(3, "c"), (4, "rewound", 0), (5, "rewound", 2)]


def test_the_next_claim_makes_void_what_the_last_one_wrote(store: Store) -> None:
    """Its attempts count anew."""
    store.apply(W1, [created("r", held_as=C1), written("r", C1, "a", attempt=3)])
    store.workers.take_over(W1)
    claim = claim_one(store, W2, "r")
    store.apply(W2, [rewound("r", claim, 1), written("r", claim, "A")])
    assert rows(store) == [(1, "A"), (2, "rewound", 0)]


def test_a_history_says_how_much_each_source_has_written(store: Store) -> None:
    """And who has closed what; of void chunks nothing. They are no checkpoints."""
    store.apply(W1, [created("r", held_as=C1), created("q", held_as=C2), recorded("r", C1)])
    store.apply(W1, [written("r", C1, "a", "b", source="*", attempt=0), written("r", C1, "c", name="t")])
    store.apply(W1, [written("r", C1, "d", source="*", attempt=0, entry_id="d"), written("q", C2, "y")])
    store.apply(W1, [closed("r", C1)])
    [history, _] = store.runs.histories(["r", "q"])
    streams = [row for row in history.checkpoints if row.kind == "stream"]
    found = {(row.name, row.key, row.outcome.text, row.is_error) for row in streams}
    assert found == {("s", "*", "4", True), ("t", "0", "1", False)}
    store.apply(W1, [rewound("r", C1, 2)])
    [history] = store.runs.histories(["r"])
    assert [row.key for row in history.checkpoints] == ["*", "1"] or [row.key for row in history.checkpoints] == [
        "1",
        "*",
    ]
    assert [row.key for row in store.runs.checkpoints("r")] == ["1"]


def test_a_thousand_rows_are_one_batch(store: Store) -> None:
    """In order."""
    store.apply(W1, [created("r", held_as=C1)])
    batch = [written("r", C1, f"{number}", entry_id=f"{number}") for number in range(1000)]
    assert store.apply(W1, batch) == [Accepted()] * 1000
    assert store.said.streams("r") == [("s", 1000, False)]
    assert rows(store, 950)[0] == (950, "950")
