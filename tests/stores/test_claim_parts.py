"""A claim is candidates, room and take: what others can execute costs it nothing, and it says why it gave less."""

from __future__ import annotations

import random
import sqlite3

import pytest

from perdure._core.flows.child import child_id
from perdure.stores.protocol import ClaimRequest, Served, Store, WorkerRow
from tests.stores.entries import C1, W1, W2, WORK, claim, created, fresh_claims, join, parked, released

OTHER = "app:other"


@pytest.fixture(autouse=True)
def workers(store: Store) -> None:
    """Two workers have the right to write."""
    join(store, W1, W2)


def execute(store_url: str, statement: str) -> None:
    """As somebody does who has no part of Perdure; tables are named without a schema."""
    if not store_url.startswith("postgresql"):
        with sqlite3.connect(store_url) as connection:
            connection.execute(statement)
        connection.close()
        return
    import psycopg

    with psycopg.connect(store_url, options="-c search_path=perdure") as connection:
        connection.execute(statement.encode())


def test_functions_are_merged_by_priority_and_age(store: Store) -> None:
    """Whose name comes first has no say: as if there were one line for all."""
    order = random.Random(7)  # noqa: S311
    runs = [(order.choice([-1, 0, 0, 2]), order.choice([WORK, OTHER, "app:third"])) for _ in range(40)]
    store.apply(W1, [created(f"{n}", priority=priority, name=name) for n, (priority, name) in enumerate(runs)])
    known = [(priority, n) for n, (priority, name) in enumerate(runs) if name != "app:third"]
    taken = [run.run_id for slots in (3, 5, 40) for run in claim(store, W1, slots, names=[OTHER, WORK])]
    assert taken == [str(n) for _, n in sorted(known)]


def test_a_claim_says_why_it_gave_less(store: Store, store_url: str) -> None:
    """There is nothing more, or somebody has paused the queue; of what gave all that was asked it says nothing."""
    store.apply(W1, [created(f"{queue}{n}", queue=queue) for queue in ("full", "few", "paused") for n in range(3)])
    moment = "now()" if store_url.startswith("postgresql") else "1.0"
    execute(
        store_url,
        f"INSERT INTO queues (name, paused_at, changed_at) VALUES ('paused', {moment}, {moment})",  # noqa: S608
    )
    request = ClaimRequest({"full": 3, "few": 4, "paused": 2, "none": 1}, [WORK])
    claimed = store.claim(W1, request, fresh_claims(10))
    assert sorted(run.run_id for run in claimed.runs) == ["few0", "few1", "few2", "full0", "full1", "full2"]
    assert claimed.short == {"few": "empty", "paused": "paused", "none": "empty"}
    execute(store_url, "DELETE FROM queues")
    assert len(claim(store, W1, queue="paused")) == 3


def test_who_holds_something_has_no_room_for_a_last_attempt(store: Store) -> None:
    """It is to be alone (rule 11)."""
    store.apply(W1, [created("poison", held_as=C1, max_attempts=2)])
    store.apply(W1, [released("poison", C1, charged=True), created("r", held_as=C1)])
    asked = ClaimRequest({"": 2}, [WORK], "alone")
    assert store.claim(W1, asked, fresh_claims(2)).short == {"": "full"}
    assert [run.run_id for run in store.claim(W2, asked, fresh_claims(2)).runs] == ["poison"]


def test_a_floor_keeps_a_claim_from_what_was_taken(store: Store) -> None:
    """What is older than the floor is found again by a claim without one, what is newer at once."""
    store.apply(W1, [created(f"{n}") for n in range(4)])
    first = store.claim(W1, ClaimRequest({"": 2}, [WORK]), fresh_claims(2))
    store.apply(W1, [released("0", first.runs[0].claim)])
    second = store.claim(W1, ClaimRequest({"": 1}, [WORK], floors=first.floors), fresh_claims(1))
    assert [run.run_id for run in second.runs] in (["2"], ["0"])  # SQLite needs no floor, and has none
    rest = store.claim(W1, ClaimRequest({"": 9}, [WORK]), fresh_claims(9))
    assert sorted(run.run_id for run in [*second.runs, *rest.runs]) == ["0", "2", "3"]


def test_what_a_claim_itself_wakes_lies_behind_no_floor(store: Store) -> None:
    """A sleeper is older than what was taken last."""
    store.apply(W1, [created("sleeper", held_as=C1), created("r"), created("s")])
    first = store.claim(W1, ClaimRequest({"": 1}, [WORK]), fresh_claims(1))
    store.apply(W1, [parked("sleeper", C1, due_at=1.0)])
    asked = ClaimRequest({"": 2}, [WORK], floors=first.floors)
    assert [run.run_id for run in store.claim(W1, asked, fresh_claims(2)).runs] == ["sleeper", "s"]


def test_a_firm_floor_stays_whatever_a_claim_wakes(store: Store) -> None:
    """To look behind it would take longer than the database lets a statement take: what is woken is found later."""
    store.apply(W1, [created("sleeper", held_as=C1), created("r"), created("s")])
    first = store.claim(W1, ClaimRequest({"": 1}, [WORK]), fresh_claims(1))
    store.apply(W1, [parked("sleeper", C1, due_at=1.0)])
    firm = {queue: floor._replace(is_firm=True) for queue, floor in first.floors.items()}
    claimed = store.claim(W1, ClaimRequest({"": 2}, [WORK], floors=firm), fresh_claims(2))
    assert [run.run_id for run in claimed.runs] in (["s"], ["sleeper", "s"])  # SQLite has no floor
    rest = store.claim(W1, ClaimRequest({"": 2}, [WORK]), fresh_claims(2))
    assert sorted(run.run_id for run in [*claimed.runs, *rest.runs]) == ["s", "sleeper"]


def test_the_pulse_looks_from_the_floor(store: Store) -> None:
    """It tells of what is newer; without a floor of all."""
    store.apply(W1, [created("r"), created("s")])
    first = store.claim(W1, ClaimRequest({"": 2}, [WORK]), fresh_claims(2))
    store.apply(W1, [created("t")])
    assert store.pulse(W1, [""], [WORK], first.floors).has_claimable
    assert store.pulse(W1, [""], [WORK]).has_claimable


def test_a_delayed_run_that_nobody_here_knows_stays_delayed(store: Store) -> None:
    """It is neither woken nor counted; people are told once it is due."""
    store.apply(W1, [created("unknown", name="app:gone", due_at=1.0), created("later", name="app:gone", due_at=9e9)])
    assert claim(store, W1) == []
    assert not store.pulse(W1, [""], [WORK]).has_claimable
    store.mending.explain_unknown([""], [WORK], "nobody knows it")
    reasons = [run.reason for run_id in ("unknown", "later") if (run := store.runs.row(run_id))]
    assert reasons == ["nobody knows it", None]


def test_of_many_unknown_runs_the_first_are_explained(store: Store) -> None:
    """A hundred of each function: enough for people, and no more however many wait."""
    store.apply(W1, [created(f"{name} {n}", name=name) for name in ("a:a", "b:b") for n in range(120)])
    store.mending.explain_unknown([""], [WORK], "nobody knows it")
    told = [n for name in ("a:a", "b:b") for n in range(120) if (run := store.runs.row(f"{name} {n}")) and run.reason]
    assert told == [*range(100), *range(100)]


def test_a_worker_says_what_it_serves(store: Store) -> None:
    """At the start, and when it changes."""
    at_first = Served(("", "q"), ("a:a",), "v1")
    store.workers.join(WorkerRow("00000000-0000-4000-8000-00000000000f", "host", 1, serves=at_first), 60.0)
    [mine] = [worker for worker in store.workers.all() if worker.worker_id.endswith("f")]
    assert mine.serves == at_first
    store.workers.serve(mine.worker_id, Served(("q",), ("a:a", 'b:"b"')))
    [mine] = [worker for worker in store.workers.all() if worker.worker_id.endswith("f")]
    assert mine.serves == Served(("q",), ("a:a", 'b:"b"'))


def test_a_claim_tells_which_life_of_the_run_it_is(store: Store, store_url: str) -> None:
    """A run that was started anew must not find the children, and the outputs, of its former life."""
    store.apply(W1, [created("r")])
    execute(store_url, "UPDATE runs SET incarnation = 2")
    [run] = claim(store, W1)
    assert run.incarnation == 2
    assert len({child_id("r", "1"), child_id("r", "1", 1), child_id("r", "1", 2), child_id("r", "11")}) == 4
