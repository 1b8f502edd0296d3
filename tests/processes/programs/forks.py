"""A program that forks in the way that its first argument names; parent and child both check what they can do then."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable

import perdure
from perdure import ForkedError, Handle, step, workflow
from perdure._api.app import current_runtime
from tests.processes.programs.functions import began, hold, mark, may_end, two, wait_for


def in_child(do: Callable[[], None]) -> None:
    """Fork, do it in the child, and check in the parent that it went well."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            do()
            perdure.shutdown()
            status = 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, "the child failed"


def work(name: str) -> None:
    """Durable work of several kinds, in whichever process."""
    may_end[name].set()
    assert hold(name) == name
    assert perdure.start(hold, name).result(20) == name
    assert two.submit(mark, name).result(20) == name


def idle() -> None:
    """The parent has launched and does nothing."""
    work("before")
    mine = current_runtime().worker.worker_id

    def child() -> None:
        work("child")
        assert current_runtime().worker.worker_id != mine

    in_child(child)
    assert current_runtime().worker.worker_id == mine
    work("after")


@workflow(name="forks")
def forks(name: str) -> str:
    """It forks between two steps; the child, inside the run, may not continue it."""
    mark(name)

    def child() -> None:
        try:
            mark(name + " child")
        except ForkedError:
            return
        raise AssertionError("the child went on with its parent's run")

    in_child(child)
    return mark(name + " after")


def busy() -> None:
    """The parent forks in the middle of a run, while others are under way."""
    others = [two.submit(hold, f"o{number}") for number in range(4)]
    wait_for(began["o0"])
    assert forks("x") == "x after"
    in_child(lambda: refuse(others[0]))
    for number in range(4):
        may_end[f"o{number}"].set()
    assert [other.result(20) for other in others] == [f"o{number}" for number in range(4)]


def refuse(handle: Handle[str]) -> None:
    """A handle of the parent's says so instead of waiting for ever; its run can be had by id."""
    for ask in (handle.result, handle.done, handle.cancel, lambda: asyncio.run(handle.wait())):
        try:
            ask()
        except ForkedError:
            continue
        raise AssertionError(f"{ask} did not refuse")
    assert not perdure.handle(handle.run_id).done()


def fork_thrice() -> None:
    """The first time while somebody else launches, perhaps."""
    for _ in range(3):
        in_child(lambda: work("child"))


def committing() -> None:
    """Threads of the parent launch, and commit without a pause, while two others fork again and again."""
    stop = threading.Event()
    errors: list[BaseException] = []

    def commit() -> None:
        while not stop.is_set():
            try:
                assert perdure.start(mark, "busy").result(20) == "busy"
            except BaseException as error:
                errors.append(error)
                return

    threads = [threading.Thread(target=commit) for _ in range(3)]
    for thread in threads:
        thread.start()
    forkers = [threading.Thread(target=fork_thrice) for _ in range(2)]
    for forker in forkers:
        forker.start()
    for forker in forkers:
        forker.join()
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors


@step(name="multiply")
def multiply(numbers: list[int]) -> list[int]:
    """A pool of forked processes inside a step."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(double, numbers)


def double(number: int) -> int:
    """In the pool: also a durable call of its own."""
    return len(perdure.start(mark, "x" * number).result(20)) * 2


@workflow(name="multiplies")
def multiplies(numbers: list[int]) -> list[int]:
    """A workflow with such a step."""
    return multiply(numbers)


def pooled() -> None:
    """multiprocessing inside a step."""
    assert multiplies([1, 2, 3]) == [2, 4, 6]


def preload() -> None:
    """As gunicorn with --preload: launch, then two workers, each for itself; the parent only waits."""
    perdure.launch()
    pids = []
    for number in range(2):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                work(f"w{number}")
                status = 0
                sys.exit(0)  # with an orderly end
            finally:
                if status:
                    os._exit(status)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0, 0]
    work("parent")


def main() -> None:
    for name in ("child", "w0", "w1"):
        may_end[name].set()  # in the parent, too: it may be the one that claims what a child starts
    {"idle": idle, "busy": busy, "committing": committing, "pooled": pooled, "preload": preload}[sys.argv[1]]()
    perdure.shutdown()
    print("done", flush=True)


if __name__ == "__main__":
    main()
