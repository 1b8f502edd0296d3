"""What durability costs, counted exactly, on both stores. `docs/costs.md` shows this table; a test compares.

| work | commits | SQLite statements | Postgres round trips |
|---|---|---|---|
| a workflow called directly, without steps | 1 | 1 | 1 |
| the same with n steps, sync or async | n + 1 | n + 1 | n + 1 |
| the same with n pure steps, sync or async | 1, and 1 for each 20 ms | the same | the same |
| the same with n values (`now`, `random`, `uuid4`) | 1 | 1 | 1 |
| a workflow with n steps, started here | n + 1 | n + 1 | n + 1 |
| a step queued by itself, executed by the process that submits | 2 | 2 | 2 |
| a step queued by itself, claimed by another process | 3 | 4; of several queues asked, 4 and 2 for each | 3 |
| a queued child of a workflow, with its parent's run | 3 | 3 | 3 |
| n runs by `submit_many` or `Queue.map`, outside any run | 1 for each 1,000 | 1 for each 1,000 | 1 for each 1,000 |
| a run under a key (`dedup`), submitted; one that meets another | 1; 0 | 1; at most 8 | 1; at most 8 |
| a debounced run asked for (`debounce`) | 1 | at most 9 | at most 12 |
| n runs in a transaction of the caller's own (`connection=`) | 0 | 11 | 3 |
| n messages sent from outside, each by itself; all by `send_many` | n; 1 | n; 1 | n; 1 |
| a workflow that sends n messages, each by itself | n + 1 | n + 1 | n + 1 |
| n messages that are there, received | 0 | 1 for each 100 | 1 for each 100 |
| n events that a workflow sets | 0 | 0 | 0 |
| an event that is there, asked for by another run | 0 | 1 | 1 |
| a workflow that opens n hooks | 1 | 1 | 1 |
| n hooks resolved from outside, each by itself | n | 2n | 2n |
| n answers that are there, received | 0 | n | n |
| n updates of a run that waits here for a message, each by itself | 2n | at most 4n | at most 4n |
| a query of a run that is held here | 0 | 0 | 0 |
| a query of a run that nobody holds, by a process that has its code | 0 | 7 | 5 |
| a further round of a run that continues as a new one, with a step | 2 | 3; of several queues asked, as a claim | 2 |
| a step that writes n chunks at once to a stream, with its run | 2, and 1 for each 20 ms | the same | the same |
| a step that saves n times, in a run | n more | n more | n more |
| n calls of `progress` | 1 each second, for all | 1 each second | 1 each second |
| up to a thousand runs paused; resumed | 1; 1 | 6; 8 | 1; 1 |
| n families of runs deleted, up to fifty | 1 | 3 + 5n | 1 |
| a run forked; retried or restarted | 1; 1 | 16; 29 | 4; 5 |
| a second without work, for each `poll_seconds` | 0 | 1 | 1 |
| a third of the lease, for each process | 1 | 1 | 1 |
| a replay: its history, read once | 0 | 5 | 3 |
| a schedule's instant, beside what its run costs | 1 | 9 | 10 |
| a batch of a thousand entries | 1 | as of one entry | 1 |

A commit of Postgres is one round trip. SQLite makes none; its statements are calls into the library. A renewal of the
lease is one statement that commits by itself.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import perdure
from perdure._engine.duties.scheduling import firing_of
from perdure._engine.journal.writer import LAGGARD_SECONDS
from perdure._entries import RunReleased
from perdure.stores.open import open_store
from tests.costs import programs
from tests.costs.conftest import Count, next_round, wait_for_rest
from tests.costs.counting import Cost

ROOT = Path(__file__).resolve().parents[2]


def expect(cost: Cost, commits: int) -> None:
    """On both stores every commit is one statement, and there is no other one."""
    assert (cost.commits, cost.statements) == (commits, commits), str(cost)


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_a_direct_call_costs_one_commit_and_one_for_each_step(count: Count, number: int) -> None:
    """Its creation is one; the last checkpoint and the run's end are one; without steps all of it is one."""
    expect(count(lambda: programs.steps(number)), commits=number + 1)


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_an_async_call_costs_the_same(count: Count, number: int) -> None:
    """On an event loop the loop itself or the writer thread commits, no more often."""
    expect(count(lambda: asyncio.run(programs.asteps(number))), commits=number + 1)


@pytest.mark.parametrize("number", [1, 50])
def test_values_cost_no_commit_of_their_own(count: Count, number: int) -> None:
    """Nothing was handed outside, so they share the commit of the run's end."""
    expect(count(lambda: programs.values(number)), commits=1)


@pytest.mark.parametrize("number", [1, 50])
@pytest.mark.parametrize("then", [0, 2])
def test_pure_steps_cost_no_commit_of_their_own(count: Count, number: int, then: int) -> None:
    """They share that of what comes after them, but for what the writer finds when it looks."""
    for program in (programs.pure_steps, lambda *args: asyncio.run(programs.apure_steps(*args))):
        began = time.monotonic()
        cost = count(lambda program=program: program(number, then))
        looks = (time.monotonic() - began) / LAGGARD_SECONDS
        assert then + 1 <= cost.commits == cost.statements <= then + 1 + looks, str(cost)


@pytest.mark.parametrize("number", [1, 5])
def test_a_started_run_costs_what_a_direct_call_costs(count: Count, number: int) -> None:
    """It is created held by the process that starts it: nothing is claimed, nothing read."""
    expect(count(lambda: perdure.start(programs.steps, number).result(60)), commits=number + 1)


def test_a_step_on_a_queue_is_two_writes_where_it_is_submitted(count: Count) -> None:
    """Its creation, and its end with its outcome; no checkpoint and no claim."""
    cost = count(lambda: programs.queue.submit(programs.add, 1).result(60))
    expect(cost, commits=2)
    assert not cost.names["history_checkpoints"]


def test_a_step_on_a_queue_is_three_writes_elsewhere(app: perdure.Perdure, count: Count, kind: str, url: str) -> None:
    """Another process submits, this one claims and finishes: two of the three are counted here."""
    code = (
        "import sys, perdure; from tests.costs import programs\n"
        "perdure.shutdown()\n"
        "from perdure._entries import RunCreated\n"
        "from perdure.stores.open import open_store\n"
        "from perdure._core.definitions import find_definition\n"
        "from perdure._core.serialization import Serializer, TypeRegistry\n"
        "d = find_definition(programs.add); s = Serializer(TypeRegistry())\n"
        "i, f = d.store_arguments(s, (1,), {})\n"
        "store = open_store(sys.argv[1])\n"
        "from perdure.stores.protocol import WorkerRow\n"
        "w = '00000000-0000-4000-8000-000000000001'\n"
        "store.workers.join(WorkerRow(w, 'h', 1), 60.0)\n"
        f"store.apply(w, [RunCreated('elsewhere', 'step', d.name, f, i, 'e', queue={programs.queue.name!r})])\n"
    )

    def poll_and_wait() -> None:  # all of it, since the commit of another process may be heard of at once
        subprocess.run(
            [sys.executable, "-c", code, url], cwd=ROOT, check=True, env=os.environ | {"PYTHONPATH": "src:."}
        )
        app._launched().room.expect_backlog()
        handle = perdure.handle("elsewhere")
        ended = threading.Event()
        app._launched().ends.watch("elsewhere", lambda end: ended.set())
        assert ended.wait(60)
        assert handle.run_id == "elsewhere"

    cost = count(poll_and_wait)
    assert "history_checkpoints" not in cost.names
    work = Cost.of(name for name in cost.names.elements() if name not in ("run", "ended_runs"))
    assert work.names["take_runs" if kind == "sqlite" else "claim_runs"] >= 1
    assert 1 <= work.names["taken_runs"] <= work.names["take_runs"] or kind == "postgres"  # one may still be asking
    assert work.names["write_sections"] == 1


@pytest.mark.parametrize("number", [1, 2])
def test_a_queued_child_costs_two_writes_of_its_own(count: Count, number: int) -> None:
    """Created by its parent's lane and started here; its end is a row's state: no message, no poll."""
    cost = count(lambda: programs.children(number, False))
    assert cost.commits == cost.statements <= 2 + number
    assert not {name for name in cost.names if "message" in name or name.startswith(("history", "ended"))}


@pytest.mark.parametrize("number", [1, 20])
def test_a_message_costs_one_commit_and_so_do_many_together(count: Count, number: int) -> None:
    """From outside, to a run that is held here: nothing else is written for it."""
    programs.IS_WAITING.clear()
    programs.MAY_GO_ON.clear()
    handle = perdure.start(programs.waits_for_word, 1)
    assert programs.IS_WAITING.wait(60)
    expect(count(lambda: [perdure.send(handle, each) for each in range(number)]), commits=number)
    expect(count(lambda: perdure.send_many([(handle, each) for each in range(number)])), commits=1)
    expect(count(lambda: programs.sends(handle.run_id, number)), commits=number + 1)
    programs.MAY_GO_ON.set()
    handle.result(60)


@pytest.mark.parametrize("number", [1, 100])
def test_messages_that_are_there_are_received_for_one_read(count: Count, number: int) -> None:
    """Their consumption shares the commit of whatever comes next; the sending was one."""
    cost = count(lambda: programs.talks_to_itself(number))
    assert cost.names["waiting_messages"] == 1
    assert (cost.commits, cost.statements) == (2, 3), str(cost)


@pytest.mark.parametrize("number", [1, 100])
def test_events_cost_no_commit_of_their_own(count: Count, number: int) -> None:
    """They share that of whatever comes next."""
    expect(count(lambda: programs.says(number)), commits=1)


def test_what_an_event_may_have_woken_is_looked_for(app: perdure.Perdure, count: Count) -> None:
    """By the next round, which is soon. Nothing is claimed where that sees nothing: a claim is a transaction."""

    def says_and_looks() -> None:
        is_over = next_round(app._launched())
        programs.says(2)
        assert is_over.wait(60)
        wait_for_rest(app._launched())

    expect(count(says_and_looks), commits=1)


def test_an_event_that_is_there_is_one_question(count: Count) -> None:
    """Its checkpoint shares the commit of the run's end."""
    programs.says(2, "speaker")
    cost = count(lambda: programs.asks("speaker"))
    assert cost.names["last_events"] == 1
    assert (cost.commits, cost.statements) == (1, 2), str(cost)


@pytest.mark.parametrize("number", [1, 20])
def test_a_hook_costs_no_commit_and_its_answer_one(count: Count, number: int) -> None:
    """A drawn token is recorded as any value is. The answer reads the hook first; who waits reads the answer."""
    expect(count(lambda: programs.opens_hooks(number)), commits=1)
    programs.IS_WAITING.clear()
    programs.MAY_GO_ON.clear()
    handle = perdure.start(programs.waits_for_hooks, number)
    assert programs.IS_WAITING.wait(60)
    cost = count(lambda: [perdure.resolve(f"{handle.run_id} {each}", each) for each in range(number)])
    assert (cost.commits, cost.statements, cost.names["hook"]) == (number, 2 * number, number), str(cost)

    def receive() -> None:
        programs.MAY_GO_ON.set()
        handle.result(60)

    cost = count(receive)
    assert cost.names["waiting_messages"] == number
    looks = cost.names["ended_runs"] + cost.names["stuck_runs"]  # of the poller, which the answers have called
    assert (cost.commits, cost.statements - looks) == (1, number + 1), str(cost)


@pytest.mark.parametrize("number", [1, 5])
def test_a_save_is_a_commit(count: Count, number: int) -> None:
    """Durable when it returns. What is said of the progress meanwhile is written once, in whatever commit."""
    cost = count(lambda: programs.saves_in_a_step(number))
    assert 2 + number <= cost.commits <= 3 + number, str(cost)


@pytest.mark.parametrize("number", [1, 5])
def test_a_round_costs_its_end_and_a_claim(count: Count, number: int) -> None:
    """The last checkpoint and the end of a life are one commit, and the next life has nothing to read."""
    cost = count(lambda: perdure.start(programs.rounds, number).result(60))
    assert cost.commits == 2 * number + 2, str(cost)
    assert cost.names["write_sections"] == number + 2
    assert cost.names["history_checkpoints"] == 0


@pytest.mark.parametrize("number", [10, 1000])
def test_chunks_share_their_commits(count: Count, number: int) -> None:
    """However many they are; those that take no time to write cost what the step costs, but for what the writer finds
    when it looks.
    """
    began = time.monotonic()
    cost = count(lambda: programs.streams(number))
    looks = (time.monotonic() - began) / LAGGARD_SECONDS
    assert 2 <= cost.commits == cost.statements <= 3 + looks, str(cost)


def test_a_hundred_async_runs_share_their_commits(count: Count) -> None:
    """Twenty steps each: two thousand checkpoints in far fewer transactions than runs."""

    async def all_at_once() -> None:
        await asyncio.gather(*(programs.asteps(20) for _ in range(100)))

    assert count(lambda: asyncio.run(all_at_once())).commits <= 100


def test_a_fresh_run_reads_nothing(count: Count) -> None:
    """What was never executed has no history."""
    for action in (
        lambda: programs.steps(3),
        lambda: asyncio.run(programs.asteps(3)),
        lambda: perdure.start(programs.steps, 3).result(60),
        lambda: programs.queue.submit(programs.add, 1).result(60),
        lambda: programs.children(3, False),
    ):
        assert not {name for name in count(action).names if name.startswith("history") or name == "ended_runs"}


def test_an_end_that_was_published_here_is_not_asked_for(count: Count) -> None:
    """Who looks at a handle after its run has ended finds the value in memory."""
    handles = [perdure.start(programs.add, number) for number in range(50)]
    ended = threading.Semaphore(0)
    for handle in handles:
        perdure.handle(handle.run_id).add_done_callback(lambda future: ended.release())
    for _ in handles:
        assert ended.acquire(timeout=60)

    cost = count(lambda: [handle.result(60) for handle in handles])

    assert cost.statements == 0, str(cost)


def test_a_replay_reads_its_history_once(app: perdure.Perdure, count: Count, kind: str) -> None:
    """Checkpoints, children, cancel: in one go, when it is claimed again."""
    runtime = app._launched()
    programs.IS_WAITING.clear()
    programs.MAY_GO_ON.clear()
    handle = perdure.start(programs.waits_for_word, 5)
    assert programs.IS_WAITING.wait(60)
    [run] = [run for run in runtime.held.active.values() if run.run_id == handle.run_id]
    runtime.claims.commit(run, RunReleased(run.run_id, run.claim))

    def replay() -> None:
        runtime.room.expect_backlog()
        programs.MAY_GO_ON.set()
        handle.result(60)

    names = count(replay).names
    assert names["history_checkpoints"] == names["history_children"] == 1


def test_a_second_without_work_costs_one_statement(url: str, kind: str) -> None:
    """The pulse, and on Postgres a look at the locks of all workers; the lease is renewed in a third of its time."""
    names: list[str] = []
    pulses = threading.Semaphore(0)

    def note(name: str) -> None:
        names.append(name)
        if name == "pulse":
            pulses.release()

    with perdure.running(url, poll_seconds=0.05, lease_seconds=3600.0) as app:
        programs.steps(1)
        for _ in range(3):  # what was begun at launch is done
            app._launched().store.on_statement = note  # type: ignore[attr-defined]  # the stores' own hook
            assert pulses.acquire(timeout=60)
        names.clear()
        for _ in range(10):
            assert pulses.acquire(timeout=60)
        app._launched().store.on_statement = None  # type: ignore[attr-defined]

    assert set(names) - ({"look_at_locks"} if kind == "postgres" else set()) == {"pulse"}


def test_a_third_of_the_lease_costs_one_statement(url: str) -> None:
    """The heartbeat updates one row, and commits by itself."""
    names: list[str] = []
    beats = threading.Semaphore(0)

    def note(name: str) -> None:
        names.append(name)
        if name == "renew_worker":
            beats.release()

    with perdure.running(url, poll_seconds=3600.0, lease_seconds=0.3) as app:
        app._launched().store.on_statement = note  # type: ignore[attr-defined]  # the stores' own hook
        for _ in range(5):
            assert beats.acquire(timeout=60)
        app._launched().store.on_statement = None  # type: ignore[attr-defined]

    assert names.count("renew_worker") >= 5


def test_the_page_shows_this_table() -> None:
    """`docs/costs.md` repeats the table of this module, line by line."""
    table = [line for line in (__doc__ or "").splitlines() if line.startswith("|")]
    page = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in page if line.startswith("|")] == table


def test_the_database_is_what_the_url_says(url: str, kind: str) -> None:
    """The suite counts on both kinds."""
    store = open_store(url)
    assert type(store).__name__.lower().startswith(kind)
    store.close()


def test_a_schedule_is_one_transaction(count: Count, app: perdure.Perdure, kind: str) -> None:
    """One look at what is due, and one transaction for its step forward and its run, however many workers there are."""
    runtime = app._launched()
    schedules = runtime.store.schedules
    runtime.poller.stop(60.0)  # else it may be faster
    perdure.schedules.set("once", "elsewhere:work", at=datetime.now(UTC) + timedelta(seconds=0.05))
    while not schedules.due(1):
        time.sleep(0.01)

    def fire() -> None:
        [due] = schedules.due(1)
        firing = firing_of(due)
        assert firing is not None
        assert schedules.fire(runtime.worker.worker_id, firing)

    cost = count(fire)
    # of a transaction of Postgres its begin, its commit and its two sections are round trips that are not counted
    assert cost.statements == (9 if kind == "sqlite" else 10 - 4), str(cost)
    assert cost.commits == (1 if kind == "sqlite" else 0)
