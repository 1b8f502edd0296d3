"""The contract of what is read: runs, histories, ends, the pulse."""

from __future__ import annotations

import itertools
import time

import pytest

from perdure._entries import Checkpoint, ChildRow, Entry, Stored
from perdure.stores.protocol import Pulse, Store
from perdure.stores.sqlite.rows import texts
from perdure.stores.sqlite.store import SqliteStore
from tests.stores.entries import (
    C1,
    C2,
    C3,
    W1,
    W2,
    WORK,
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


def test_a_run_tells_its_times(store: Store) -> None:
    """Seconds since the epoch, by the database's clock."""
    before = time.time() - 5
    due_at = time.time() + 3600
    store.apply(W1, [created("r", held_as=C1), finished("r", C1), created("s", due_at=due_at)])
    run, later = store.runs.row("r"), store.runs.row("s")
    assert run is not None
    assert run.started_at is not None
    assert run.finished_at is not None
    assert before < run.created_at <= run.started_at <= run.finished_at < time.time() + 5
    assert later is not None
    assert later.due_at == pytest.approx(due_at, abs=0.001)


def test_an_unknown_run_is_none(store: Store) -> None:
    """And its history is empty."""
    assert store.runs.row("nothing") is None
    history = store.runs.histories(["nothing"])[0]
    assert (history.checkpoints, history.children, history.is_cancelled) == ([], [], False)


def test_checkpoints_come_in_the_order_of_recording(store: Store) -> None:
    """Within a batch and across batches, whatever the keys are."""
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1, "9"), recorded("r", C1, "10")])
    store.apply(W1, [recorded("r", C1, "a"), recorded("r", C1, "1")])
    assert [checkpoint.key for checkpoint in store.runs.histories(["r"])[0].checkpoints] == ["9", "10", "a", "1"]
    assert store.runs.checkpoints("r") == store.runs.histories(["r"])[0].checkpoints


def test_a_checkpoint_comes_back_as_it_was_recorded(store: Store) -> None:
    """Every field."""
    outcome = Stored("zlib+json", 'text with "quotes", ünïcode \U0001f600 and a \\u0000 escape')
    entry = recorded("r", C1, "a/b#1", kind="value", is_error=True, outcome=outcome, position=7, attempts=3)
    entry.arguments = '["ann"]'
    store.apply(W1, [created("r", held_as=C1), entry])
    expected = Checkpoint("a/b#1", "value", "app:fetch", "f2", True, outcome, 7, 3, '["ann"]')
    assert store.runs.histories(["r"])[0].checkpoints == [expected]


def test_children_come_in_the_order_of_creation(store: Store) -> None:
    """With what is needed to check them against the code, and their state now."""
    store.apply(W1, [created("p", held_as=C1), child("z", "p", C1), child("a", "p", C1, held_as=C2)])
    store.apply(W1, [child("m", "p", C1), finished("a", C2)])
    assert store.runs.histories(["p"])[0].children == [
        ChildRow("z", "key of z", WORK, "f1", "ready", '["z"]'),
        ChildRow("a", "key of a", WORK, "f1", "succeeded", '["a"]'),
        ChildRow("m", "key of m", WORK, "f1", "ready", '["m"]'),
    ]


def test_ended_tells_of_those_that_have_ended(store: Store) -> None:
    """In any order; the others and unknown ones are left out."""
    store.apply(W1, [created("a", held_as=C1), created("b", held_as=C2), created("c", held_as=C3), created("d")])
    store.apply(W1, [finished("a", C1), finished("b", C2, "failed", '"boom"'), finished("c", C3, text=None)])
    ended = {e.run_id: (e.state, e.output) for e in store.runs.ended(["a", "b", "c", "d", "nothing"])}
    assert ended == {
        "a": ("succeeded", Stored("json", "42")),
        "b": ("failed", Stored("json", '"boom"')),
        "c": ("succeeded", None),
    }


def test_ids_may_hold_any_text(store: Store) -> None:
    """A caller's own id is an idempotency key and may look like anything."""
    odd = ["it's", 'a "quote"', "{braces}", "a,b", "\\back", "ünï", "NULL", "%(x)s", ":id", "\U0001f600"]
    store.apply(W1, [created(run_id) for run_id in odd])
    store.apply(W1, [created(run_id) for run_id in odd])
    runs = claim(store, W1, 20)
    assert [run.run_id for run in runs] == odd
    store.apply(W1, [finished(run.run_id, run.claim) for run in runs])
    assert {ended.run_id for ended in store.runs.ended(odd)} == set(odd)


def test_a_large_value_is_kept(store: Store) -> None:
    """Some megabytes are no matter."""
    text = '"' + "x" * 3_000_000 + '"'
    store.apply(W1, [created("r", held_as=C1), recorded("r", C1, outcome=Stored("json", text))])
    assert store.runs.histories(["r"])[0].checkpoints[0].outcome.text == text


def test_an_idle_pulse_is_empty(store: Store) -> None:
    """Nothing waits, nothing is due."""
    store.apply(W1, [created("held", held_as=C1), created("foreign", queue="q"), created("unknown", name="app:gone")])
    assert store.pulse(W1, [""], [WORK]) == Pulse()


def test_the_pulse_sees_what_is_claimable(store: Store) -> None:
    """Ready or due: whatever the next claim would get; or something is told to a run, which the claim looks at."""
    assert store.pulse(W1, [""], [WORK]).has_claimable is False
    store.apply(W1, [created("r", held_as=C1), created("a", held_as=C2), parked("r", C1, runs=("a",))])
    assert store.pulse(W1, [""], [WORK]).has_claimable is False
    store.hear(W1, ())
    assert store.pulse(W1, [""], [WORK]).has_mail is False
    store.apply(W1, [finished("a", C2)])
    assert store.pulse(W1, [""], [WORK]).has_mail is True
    assert [run.run_id for run in claim(store, W1)] == ["r"]
    assert store.pulse(W1, [""], [WORK]).has_claimable is False
    store.apply(W1, [created("late", due_at=time.time() - 1)])
    assert store.pulse(W1, [""], [WORK]).has_claimable is True


MANY = [*(f"app:f{number}" for number in range(400)), WORK, *(f"lib:g{number}" for number in range(400))]
QUEUES = [f"q{number}" for number in range(20)]


@pytest.mark.parametrize(
    ("entries", "seen"),
    [
        ([created("r", queue="q7")], "has_claimable"),
        ([created("r", queue="q7", due_at=1.0)], "has_claimable"),
        ([created("r", queue="q7", due_at=9e9)], "next_due_at"),
        ([created("r", queue="q7", held_as=C1), parked("r", C1, due_at=1.0)], "has_claimable"),
        ([created("r", queue="q7", held_as=C1, max_attempts=2), released("r", C1, charged=True)], "has_last_attempts"),
    ],
    ids=["ready", "due", "later", "slept", "last"],
)
def test_the_pulse_finds_what_waits_among_all_that_is_known(store: Store, entries: list[Entry], seen: str) -> None:
    """Of many functions in many queues; what nobody here knows stands before it and behind it in every order."""
    store.apply(W1, [created(f"{name} {queue}", name=name, queue=queue) for name in ("a:a", "z:z") for queue in QUEUES])
    assert store.pulse(W1, QUEUES, MANY) == Pulse()
    store.apply(W1, entries)
    assert getattr(store.pulse(W1, QUEUES, MANY), seen)
    assert store.pulse(W1, QUEUES[:7], MANY) == Pulse()
    assert store.pulse(W1, QUEUES, [name for name in MANY if name != WORK]) == Pulse()
    if seen == "has_claimable":
        assert [run.run_id for run in claim(store, W1, queue="q7", names=MANY)] == ["r"]


def test_what_is_known_and_not_asked_for_costs_a_pulse_nothing(store: Store) -> None:
    """An index of a thousand functions in twenty queues would be asked sixty thousand times."""
    if not isinstance(store, SqliteStore):
        pytest.skip("Postgres does not count its own steps")
    counts = []
    for names in ([WORK], MANY):
        with store._database.spare().reading() as connection:
            steps = itertools.count()
            sqlite = connection._sqlite
            assert sqlite is not None
            sqlite.set_progress_handler(lambda steps=steps: next(steps) < 0, 1)
            connection.query("pulse", [W1, texts(QUEUES), texts(names)])
            sqlite.set_progress_handler(None, 0)
            counts.append(next(steps))
    assert counts[1] < counts[0] + 100 * len(MANY)


def test_the_pulse_tells_when_the_next_thing_is_due(store: Store) -> None:
    """The earliest of delayed runs and sleepers of these queues and functions."""
    now = time.time()
    store.apply(W1, [created("s", held_as=C1), parked("s", C1, due_at=now + 500)])
    store.apply(W1, [created("r", due_at=now + 900), created("q", queue="q", due_at=now + 5)])
    store.apply(W1, [created("u", name="app:gone", due_at=now + 7)])
    pulse = store.pulse(W1, [""], [WORK])
    assert pulse.has_claimable is False
    assert pulse.next_due_at == pytest.approx(now + 500, abs=0.01)


def test_mending_takes_all_runs_of_the_functions(store: Store) -> None:
    """A mended run is ready, its reason gone; mending again finds nothing."""
    store.apply(W1, [created("r", held_as=C1), created("s", held_as=C2, name="app:other")])
    store.apply(W1, [parked("r", C1, stopped="mend", reason="x"), parked("s", C2, stopped="mend", reason="y")])
    run = store.runs.row("r")
    assert run is not None
    assert (run.needs_mend, run.reason) == (True, "x")
    assert store.mending.mend([WORK]) == ["r"]
    run = store.runs.row("r")
    assert run is not None
    assert (run.state, run.needs_mend, run.reason) == ("ready", False, None)
    assert store.mending.mend([WORK]) == []
    assert state(store, "s") == "parked"


def test_nothing_is_asked_about_nothing(store: Store) -> None:
    """Empty questions have empty answers."""
    store.apply(W1, [created("r")])
    assert store.runs.ended([]) == []
    assert store.mending.mend([]) == []
    assert store.pulse(W1, [], []) == Pulse()
    assert claim(store, W1, names=[]) == []
