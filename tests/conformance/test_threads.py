"""`perdure.threads()`: an executor inside a sync workflow, whose threads are branches of the run."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import CancelledError, Executor, as_completed, wait
from pathlib import Path

import pytest

import perdure
from perdure import step, workflow
from perdure._api.threads import BranchFuture, Joining, Threads, release_joining
from perdure._core.lineage import Branch, scope
from tests.conformance.ledger import MOMENT_SECONDS, PATIENCE_SECONDS, await_signal, ran, replay, signals

pytestmark = pytest.mark.usefixtures("sqlite_app")


@step
def work(name: str) -> str:
    """It leaves a line."""
    ran.append(name)
    return name


@step
def hold(name: str) -> str:
    """It waits for the test."""
    ran.append(name)
    signals[f"{name} began"].set()
    await_signal(name)
    return name


def fails(name: str) -> str:
    """A branch that ends with an error."""
    work(name)
    raise ValueError(name)


@workflow
def futures() -> list[str]:
    """What a pool's futures can do."""
    with perdure.threads(2) as pool:
        good, bad = pool.submit(work, "good"), pool.submit(fails, "bad")
        seen = [repr(bad.exception()), good.result(PATIENCE_SECONDS)]
        done, _ = wait([good, bad])
        seen += [str(len(done)), str(len(list(as_completed([good, bad]))))]
        good.add_done_callback(lambda future: seen.append(future.result()))
    assert isinstance(pool, Executor)
    return seen


def test_its_futures_are_those_of_concurrent_futures() -> None:
    """Results, errors, callbacks, `wait` and `as_completed`."""
    assert futures() == ["ValueError('bad')", "good", "2", "2", "good"]


@workflow
def waits_for_a_moment() -> str:
    """It gives a branch up that sleeps for longer."""
    future = perdure.threads(1).submit(perdure.sleep, 3600)
    try:
        future.result(MOMENT_SECONDS)
    except TimeoutError:
        return work("in time")
    return "too late"


def test_a_wait_for_a_branch_ends_at_its_timeout_though_the_branch_could_be_parked() -> None:
    """A run that leaves memory would forget when to give up."""
    assert perdure.start(waits_for_a_moment).result(PATIENCE_SECONDS) == "in time"


@workflow
def gives_up_what_waits() -> list[bool]:
    """One branch at work, two that wait behind it."""
    pool = perdure.threads(1)
    first, *others = [pool.submit(hold, name) for name in ("first", "second", "third")]
    await_signal("first began")
    pool.shutdown(wait=False, cancel_futures=True)
    seen = [future.cancelled() for future in (first, *others)]
    done, _ = wait(others, PATIENCE_SECONDS)
    signals["first"].set()
    pool.shutdown()
    assert len(done) == 2
    return [*seen, first.result() == "first"]


def test_futures_that_wait_are_cancelled_when_the_pool_is_told_so() -> None:
    """`cancel_futures=True`: nobody may wait for them for ever."""
    assert perdure.start(gives_up_what_waits).result(PATIENCE_SECONDS) == [False, True, True, True]
    assert ran == ["first"]


@workflow
def gives_up_one() -> str:
    """It cancels a branch before it began."""
    with perdure.threads(1) as pool:
        first, second = pool.submit(hold, "one"), pool.submit(work, "two")
        await_signal("one began")
        assert second.cancel()
        assert not first.cancel()
        signals["one"].set()
    try:
        return second.result()
    except CancelledError:
        return first.result()


def test_a_branch_that_has_not_begun_can_be_cancelled() -> None:
    """As any future of a pool; one that runs cannot."""
    assert gives_up_one() == "one"
    assert ran == ["one"]


def use_after_exit() -> str:
    """It uses a pool whose block has ended."""
    with perdure.threads() as pool:
        pool.submit(str).result()
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(work, "late")
    return "refused"


use_after_exit_in_a_run = workflow(name="conformance:use-after-exit")(use_after_exit)


def test_a_pool_takes_nothing_after_its_block() -> None:
    """In a run and outside, as every executor."""
    assert use_after_exit() == use_after_exit_in_a_run() == "refused"
    assert ran == []


@workflow
def many(workers: int) -> int:
    """The most branches that were at work at once."""
    lock, at_work, most = threading.Lock(), 0, 0
    meeting = threading.Barrier(workers)

    def one(_: int) -> None:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        meeting.wait(PATIENCE_SECONDS)
        with lock:
            at_work -= 1

    with perdure.threads(workers) as pool:
        list(pool.map(one, range(workers * 3)))
    return most


def test_no_more_branches_are_at_work_than_it_has_workers() -> None:
    """And no fewer: they meet."""
    assert many(3) == 3


@workflow
def sleeps_in_turn() -> list[str]:
    """More sleeping branches than workers."""
    ran.append("workflow")

    def one(number: int) -> str:
        perdure.sleep(MOMENT_SECONDS)
        return work(str(number))

    with perdure.threads(2) as pool:
        seen = list(pool.map(one, range(5)))
    replay()
    return seen


def test_branches_that_wait_for_a_worker_do_not_keep_the_run_in_memory() -> None:
    """Those at work sleep, and the others cannot begin before they wake: the run may leave."""
    assert sleeps_in_turn() == ["0", "1", "2", "3", "4"]
    assert sorted(line for line in ran if line != "workflow") == ["0", "1", "2", "3", "4"]
    assert ran.count("workflow") > 2


def test_outside_a_run_it_is_an_ordinary_pool() -> None:
    """The same function may be called in a test, or in a step."""
    with perdure.threads(3) as pool:
        assert list(pool.map(work, "abc")) == ["a", "b", "c"]
    assert isinstance(pool, Threads)


PROGRAM = """
    import sys, threading, perdure
    began = threading.Event()

    @perdure.step
    def blocks() -> None:
        began.set()
        threading.Event().wait()

    @perdure.workflow
    def branches() -> None:
        with perdure.threads() as pool:
            pool.submit(blocks)

    if __name__ == "__main__":
        perdure.start(branches)
        assert began.wait(20)
        perdure.shutdown(0)
        print("ended")
"""


def test_a_branch_that_blocks_does_not_hold_up_the_end_of_the_program(tmp_path: Path) -> None:
    """The threads of `concurrent.futures` are joined when the interpreter exits; a durable run goes on elsewhere."""
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    environment = {**os.environ, "PERDURE_URL": str(tmp_path / "perdure.db")}
    ended = subprocess.run(
        [sys.executable, tmp_path / "program.py"],
        env=environment,
        timeout=PATIENCE_SECONDS,
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, b"ended\n")


@workflow
def released_by_hand() -> list[int]:
    """It looks at the run's state while its wait for a branch is over and it has not woken up."""
    here = scope.get()
    assert type(here) is Branch
    joined: BranchFuture[None] = BranchFuture()
    with Joining(here.run, joined):
        waiting = here.run.state.joining
        release_joining(here.run, joined.joining)
        released = here.run.state.joining
    return [waiting, released, here.run.state.joining]


def test_a_thread_whose_wait_is_over_counts_as_at_work_before_it_wakes() -> None:
    """Else a replay in which another branch waits for its turn would be taken for one that cannot go on."""
    assert released_by_hand() == [1, 0, 0]
