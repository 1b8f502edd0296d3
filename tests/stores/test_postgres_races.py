"""The races of the protocol on a real server, each held open at its worst moment.

A rival is a session of the test's own that calls the very functions of the store inside an open transaction.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec
import psycopg
import pytest

from perdure._entries import Accepted, EventSet, Existed, Refused, RunParked, Stored, Wait
from perdure._steering import By, Restart
from perdure.stores.postgres import PostgresStore
from perdure.stores.protocol import Fenced, NothingDone
from tests.stores.entries import C1, C2, W1, W2, WORK, claim, created, finished, fresh_claims, join, recorded, released
from tests.stores.rivals import Rival


@pytest.fixture
def rival(postgres_url: str) -> Iterator[Rival]:
    """A session of the test's own."""
    rival = Rival(postgres_url)
    yield rival
    rival.connection.close()
    rival.watcher.close()


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[PostgresStore]:
    """The store that the rival meets."""
    store = PostgresStore(postgres_url)
    yield store
    store.close()


@pytest.fixture
def meanwhile() -> Iterator[Callable[..., Future[object]]]:
    """Do something on another thread, as another process would."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


ME = By("somebody")
CLAIM = {
    "expected": 0,
    "queues": '{""}',
    "slots": "{5}",
    "names": f"{{{WORK}}}",
    "claims": f"{{{C1}}}",
    "last_attempts": "left",
    "resuming": "[]",
    "floors": "[]",
}


def test_a_takeover_never_leaves_behind_what_a_claim_commits_meanwhile(postgres: PostgresStore, rival: Rival) -> None:
    """Rule 3: while the victim writes, it is not taken over; afterwards all that it held is put back."""
    join(postgres, W1, W2)
    postgres.apply(W2, [created("r")])
    rival.do("claim_runs", worker_id=W1, **CLAIM)
    assert postgres.workers.take_over(W1) is None
    rival.commit()
    assert postgres.workers.take_over(W1) == ["r"]
    run = postgres.runs.row("r")
    assert run is not None
    assert (run.state, run.worker_id) == ("ready", None)


def test_a_claim_waits_for_a_takeover_and_is_fenced(
    postgres: PostgresStore, rival: Rival, meanwhile: Callable[..., Future[object]]
) -> None:
    """Rule 1: once the row is going, nothing more is claimed or written by its worker."""
    join(postgres, W1, W2)
    postgres.apply(W2, [created("r")])
    rival.do("take_over_worker", worker_id=W1, seen=None)
    taking = meanwhile(claim, postgres, W1, 1)
    rival.wait_until_somebody_waits_for_me()
    rival.commit()
    with pytest.raises(Fenced):
        taking.result()


def test_two_takers_of_one_worker_do_not_wait_for_each_other(postgres: PostgresStore, rival: Rival) -> None:
    """Rule 3: SKIP LOCKED, one victim, one winner."""
    join(postgres, W1, W2)
    rival.do("take_over_worker", worker_id=W1, seen=None)
    assert postgres.workers.take_over(W1) is None


def test_no_run_may_name_a_worker_without_a_row(postgres: PostgresStore, rival: Rival) -> None:
    """The database itself enforces it, when the transaction commits."""
    join(postgres, W1)
    postgres.apply(W1, [created("r", held_as=C1)])
    rival.connection.execute("DELETE FROM perdure.workers")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        rival.commit()


def test_a_finish_waits_for_a_cancel_and_obeys_it(
    postgres: PostgresStore, rival: Rival, meanwhile: Callable[..., Future[object]]
) -> None:
    """Rule 8: an acknowledged cancel is never followed by success."""
    join(postgres, W1)
    postgres.apply(W1, [created("r", held_as=C1)])
    assert rival.do("cancel_runs", run_ids="{r}") == [("r",)]
    end = meanwhile(postgres.apply, W1, [finished("r", C1)])
    rival.wait_until_somebody_waits_for_me()
    rival.commit()
    assert end.result() == [Accepted("cancelled")]


def test_a_cancel_waits_for_a_finish_and_comes_too_late(
    postgres: PostgresStore, rival: Rival, meanwhile: Callable[..., Future[object]]
) -> None:
    """Rule 8: and it says so."""
    join(postgres, W1)
    postgres.apply(W1, [created("r", held_as=C1)])
    rival.apply(W1, finished("r", C1))
    cancel = meanwhile(postgres.cancels.ask, ["r"])
    rival.wait_until_somebody_waits_for_me()
    rival.commit()
    assert cancel.result() == []


def test_a_run_that_somebody_refers_to_is_claimed_all_the_same(postgres: PostgresStore, rival: Rival) -> None:
    """Rule 4: FOR NO KEY UPDATE does not skip a run with a key-share lock."""
    join(postgres, W1)
    postgres.apply(W1, [created("r")])
    rival.connection.execute("SELECT 1 FROM perdure.runs FOR KEY SHARE")
    assert [run.run_id for run in claim(postgres, W1, 1)] == ["r"]


def test_a_claim_passes_by_what_another_claim_is_taking(postgres: PostgresStore, rival: Rival) -> None:
    """SKIP LOCKED: nobody waits, nothing is taken twice."""
    join(postgres, W1, W2)
    postgres.apply(W2, [created("r1"), created("r2")])
    rival.do("claim_runs", worker_id=W1, **{**CLAIM, "slots": "{1}"})
    assert [run.run_id for run in claim(postgres, W2, 5)] == ["r2"]


def test_what_is_written_under_a_claim_that_has_ended_keeps_nobody_from_the_run(
    postgres: PostgresStore, postgres_url: str
) -> None:
    """The body of a run that was let go of records late: whoever claims just then would pass the run by, and nobody
    would look for it before the next poll.
    """
    join(postgres, W1, W2)
    postgres.apply(W1, [created("r", held_as=C1), recorded("r", C1)])
    postgres.apply(W1, [released("r", C1)])
    taken: list[str] = []
    taker = PostgresStore(postgres_url)

    def take(name: str) -> None:
        if name == "run_traces":  # the late batch has locked what it locks
            taken.extend(run.run_id for run in claim(taker, W2, 1))

    postgres.on_statement = take
    [verdict] = postgres.apply(W1, [recorded("r", C1, "2")])
    taker.close()
    assert taken == ["r"]
    assert isinstance(verdict, Refused)


def test_a_heartbeat_does_not_wait_for_a_batch(postgres: PostgresStore, rival: Rival) -> None:
    """The fence's key-share lock and the heartbeat's update of other columns get along."""
    join(postgres, W1)
    rival.apply(W1, created("r", held_as=C1), recorded("r", C1))
    assert postgres.workers.renew(W1) is True


def test_two_batches_of_one_worker_share_the_fence(postgres: PostgresStore, rival: Rival) -> None:
    """A transactional step, later, holds it beside the journal."""
    join(postgres, W1)
    rival.apply(W1, created("r", held_as=C1))
    assert postgres.apply(W1, [created("s")]) == [Accepted()]


def test_recording_a_checkpoint_does_not_wait_for_a_share_lock_on_the_run(
    postgres: PostgresStore, rival: Rival
) -> None:
    """Rule 9: a transactional step holds one until its commit."""
    join(postgres, W1)
    postgres.apply(W1, [created("r", held_as=C1)])
    rival.connection.execute("SELECT 1 FROM perdure.runs FOR SHARE")
    assert postgres.apply(W1, [recorded("r", C1)]) == [Accepted()]


def test_batches_that_meet_in_opposite_order_do_not_wait_for_each_other(
    postgres: PostgresStore, rival: Rival, meanwhile: Callable[..., Future[object]]
) -> None:
    """A batch gives up before the server looks for a deadlock: nothing of it has happened, and the same goes again."""
    join(postgres, W1, W2)
    rival.apply(W2, created("b", entry_id="theirs"))
    ours = meanwhile(postgres.apply, W1, [created("a"), created("b")])
    rival.wait_until_somebody_waits_for_me()
    with pytest.raises(NothingDone):
        ours.result()
    rival.apply(W2, created("a", entry_id="theirs too"))
    rival.commit()
    verdicts = postgres.apply(W1, [created("a"), created("b")])
    assert [type(verdict) for verdict in verdicts] == [Existed, Existed]


WRITER = """
import sys
from perdure.stores.postgres import PostgresStore
from perdure.stores.protocol import Fenced, NothingDone
from tests.stores.entries import W1, C1, recorded
store = PostgresStore(sys.argv[1])
number = 0
try:
    while True:
        store.apply(W1, [recorded("r", C1, str(number), entry_id=str(number))])
        print(number, flush=True)
        number += 1
except Fenced:
    print("fenced", flush=True)
"""


def test_a_stopped_process_that_wakes_up_after_its_takeover_writes_nothing(
    postgres: PostgresStore, postgres_url: str
) -> None:
    """SIGSTOP in the middle of its work, takeover, SIGCONT: not one row more, and it learns that it is fenced."""
    import signal

    join(postgres, W1, W2)
    postgres.apply(W1, [created("r", held_as=C1)])
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, postgres_url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={"PYTHONPATH": f"{root / 'src'}:{root}"},
    )
    try:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "20":
            pass
        process.send_signal(signal.SIGSTOP)
        back = None
        while back is None:  # its last batch may still be on its way
            back = postgres.workers.take_over(W1)
        written = len(postgres.runs.checkpoints("r"))
        process.send_signal(signal.SIGCONT)
        lines = process.stdout.read().split()
        assert lines[-1] == "fenced"
        assert back == ["r"]
        assert len(postgres.runs.checkpoints("r")) == written
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_a_child_made_in_the_batch_of_its_parent_is_refused_with_it(postgres: PostgresStore) -> None:
    """The parent's id was taken by another run: nothing may be made under a claim that never was."""
    join(postgres, W1)
    postgres.apply(W1, [created("parent", entry_id="somebody else's")])
    verdicts = postgres.apply(
        W1,
        [
            created("parent", held_as=C2, entry_id="ours"),
            created("child", claim=C2, parent_id="parent", parent_key="1"),
            recorded("parent", C2),
            created("outsider"),
        ],
    )
    assert [type(verdict) for verdict in verdicts] == [Existed, Refused, Refused, Accepted]
    assert postgres.runs.row("child") is None


@pytest.mark.parametrize("why", ["a cancel", "a deadline"])
def test_who_looked_before_a_new_start_does_not_end_it(
    postgres: PostgresStore, rival: Rival, meanwhile: Callable[..., Future[object]], why: str
) -> None:
    """What was to end the life before is gone when the row can be locked."""

    def look() -> int:
        found = 0
        while not is_over.is_set():
            found += len(postgres.cancels.sweep() if why == "a cancel" else postgres.cancels.expire())
            has_looked.set()
        return found

    join(postgres, W1)
    for number in range(5):
        run_ids = [f"{number} {nth:04}" for nth in range(1_000)]
        postgres.create([created(run_id, deadline_at=1.0 if why == "a deadline" else None) for run_id in run_ids])
        postgres.steering.pause(run_ids, ME)
        while postgres.hear(W1, ()).has_read:
            pass
        if why == "a cancel":
            postgres.steering.cancel(run_ids, ME)
        plans = [
            Restart(run_id, "parked", 0, 0, f"{run_id}:undo", None, 0, [], {}, [], [], False, "") for run_id in run_ids
        ]
        told = {"who": "somebody", "action": "restart", "detail": None}
        assert rival.do("restart_runs", plans=msgspec.json.encode(plans).decode(), **told) == [(True,)]
        is_over, has_looked = threading.Event(), threading.Event()
        looking = meanwhile(look)
        assert has_looked.wait(60)
        rival.commit()
        is_over.set()
        assert looking.result(60) == 0


def test_who_looked_before_a_later_time_was_set_wakes_nobody(
    postgres: PostgresStore, rival: Rival, meanwhile: Callable[..., Future[object]]
) -> None:
    """A run that was due, and sleeps again when its row can be locked, sleeps on."""

    def look() -> int:
        found = 0
        while not is_over.is_set():
            found += len(claim(postgres, W1, 1_000, claims=claims))
            has_looked.set()
        return found

    join(postgres, W1)
    claims = fresh_claims(1_000)
    for number in range(8):
        run_ids = [f"{number} {nth:04}" for nth in range(1_000)]
        postgres.create([created(run_id, due_at=1.0) for run_id in run_ids])
        rival.connection.execute("UPDATE perdure.runs SET due_at = '2100-01-01' WHERE due_at < '2000-01-01'")
        is_over, has_looked = threading.Event(), threading.Event()
        looking = meanwhile(look)
        assert has_looked.wait(60)
        rival.commit()
        is_over.set()
        assert looking.result(60) == 0


def test_threads_share_a_store(postgres: PostgresStore) -> None:
    """Apply on one, heartbeats on another, readers beside them."""
    join(postgres, W1)
    over = threading.Event()

    def beat() -> int:
        beats = 0
        while not over.is_set() or beats == 0:
            assert postgres.workers.renew(W1)
            beats += 1
        return beats

    with ThreadPoolExecutor(3) as pool:
        beating = pool.submit(beat)
        reading = pool.submit(lambda: [postgres.runs.row("r1") for _ in range(50)])
        for number in range(50):
            postgres.apply(W1, [created(f"r{number}")])
        over.set()
        assert beating.result() > 0
        assert len(reading.result()) == 50


def test_an_event_that_is_being_set_while_a_waiter_parks_wakes_it(postgres: PostgresStore, rival: Rival) -> None:
    """Rule 13: who looks into the mailbox before that commit sees no event, and keeps the row that told him."""
    join(postgres, W1, W2)
    postgres.apply(W1, [created("setter", held_as=C1), created("waiter", held_as=C2)])
    rival.apply(W1, EventSet("setter", C1, "e", "1", "event", "a", "f", False, Stored("json", "1")))
    postgres.apply(W1, [RunParked("waiter", C2, waits_for=(Wait("event", "a", run_id="setter"),))])
    assert claim(postgres, W2, 1) == []
    rival.commit()
    assert [run.run_id for run in claim(postgres, W2, 1)] == ["waiter"]
