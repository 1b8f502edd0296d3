"""The threads of sync runs: each job begins at once, and none is forgotten."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from perdure._engine.hosting.threads import pool as pool
from perdure._engine.hosting.threads.pool import Threads
from tests.identity.staging import wait_until

NUMBER = 40


def test_jobs_that_block_have_a_thread_each() -> None:
    """Though only one is woken at a time: all of them meet."""
    threads, meet, met = Threads("test"), threading.Barrier(NUMBER), list[int]()
    for _ in range(3):  # the second and third time with those that are there

        def job() -> None:
            met.append(meet.wait(20))

        assert all(threads.run(job) for _ in range(NUMBER))
        wait_until(lambda: len(met) == NUMBER)
        met.clear()
    assert threads.count == NUMBER


def test_what_a_job_leaves_to_do_finds_its_thread_free() -> None:
    """A chain of jobs, each handed in by the one before, is done by one thread."""
    threads, names, has_ended = Threads("test"), list[str](), threading.Event()

    def job() -> Callable[[], object]:
        names.append(threading.current_thread().name)
        return has_ended.set if len(names) == 100 else lambda: threads.run(job)

    threads.run(job)
    assert has_ended.wait(20)
    assert len(set(names)) == 1


def test_idle_threads_end_and_no_job_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that come just when threads give up waiting are done all the same."""
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.001)
    threads, done = Threads("test"), list[int]()
    for number in range(300):
        assert threads.run(lambda number=number: done.append(number))  # type: ignore[misc]
        time.sleep(0.001)
    wait_until(lambda: len(done) == 300)
    wait_until(lambda: threads.count == 0)


def test_without_any_thread_a_job_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter ends, or there are too many; later jobs begin again."""
    threads, has_run = Threads("test"), threading.Event()

    def refuse(work: Callable[[], object], name: str) -> threading.Thread:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without:
        without.setattr(pool, "start_thread", refuse)
        assert not threads.run(has_run.set)
    assert threads.run(lambda: None)
    assert not has_run.wait(0.05)


def test_no_job_relies_on_a_thread_that_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """It came while another one's thread was being started, which failed."""
    threads, is_starting, may_fail = Threads("test"), threading.Event(), threading.Event()

    def refuse(work: Callable[[], object], name: str) -> threading.Thread:
        is_starting.set()
        assert may_fail.wait(20)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pool, "start_thread", refuse)
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(threads.run, lambda: None)
        assert is_starting.wait(20)
        second = callers.submit(threads.run, lambda: None)
        may_fail.set()
        assert not first.result(20)
        assert not second.result(20)


def test_an_error_ends_no_thread(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next job is done."""
    threads, has_run = Threads("test"), threading.Event()

    def fail() -> None:
        raise KeyboardInterrupt

    threads.run(fail)
    threads.run(has_run.set)  # type: ignore[arg-type]
    assert has_run.wait(20)
    wait_until(lambda: "not foreseen" in caplog.text)
