"""Queues: limits, order, and what an executor promises."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Executor
from typing import Any

import pytest

import perdure
from perdure import Queue, step, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, await_signal, ran, signals

pytestmark = pytest.mark.usefixtures("app")

one = Queue("conformance one", worker_concurrency=1)
three = Queue("conformance three", worker_concurrency=3)
inner = Queue("conformance inner", worker_concurrency=1)

at_work: list[str] = []
"""Bodies that run right now."""


@step
def body(name: str) -> str:
    """It tells how many are at work beside it."""
    at_work.append(name)
    ran.append(f"{name} of {len(at_work)}")
    signals["never"].wait(0.005)
    at_work.remove(name)
    return name


@step
def hold(name: str) -> str:
    """It occupies the queue."""
    signals[f"{name} began"].set()
    await_signal(name)
    return name


together = threading.Barrier(3)


@step
def meet(number: int) -> int:
    """It ends only when three are at work."""
    together.wait(PATIENCE_SECONDS)
    return number


@step
def quick(name: Any) -> Any:
    """It leaves a line."""
    ran.append(str(name))
    return name


@step
def fails(name: str) -> None:
    """It fails."""
    raise ValueError(name)


def test_a_queue_of_one_runs_one_at_a_time_in_the_order_of_submission() -> None:
    """DBOS: first in, first out; a limit of one is a lock."""
    handles = [one.submit(body, str(number)) for number in range(20)]
    assert [handle.result() for handle in handles] == [str(number) for number in range(20)]
    assert ran == [f"{number} of 1" for number in range(20)]


def test_a_limit_is_reached_and_not_passed() -> None:
    """Hatchet and DBOS count at the claim; here three bodies meet, and never four."""
    meeting = [three.submit(meet, number) for number in range(3)]
    assert sorted(handle.result() for handle in meeting) == [0, 1, 2]
    handles = [three.submit(body, str(number)) for number in range(30)]
    assert len({handle.result() for handle in handles}) == 30
    assert max(int(line.rpartition(" ")[2]) for line in ran) <= 3


def test_lower_priority_goes_first_and_equals_in_their_order() -> None:
    """DBOS's priority queues; those that wait are sorted, not those that run."""
    blocker = one.submit(hold, "blocker")
    await_signal("blocker began")
    order = [("late", 5), ("first", -1), ("middle", 0), ("second", -1), ("later", 5)]
    handles = [one.with_options(priority=priority).submit(quick, name) for name, priority in order]
    signals["blocker"].set()
    assert {handle.result() for handle in handles} == {name for name, _ in order}
    assert blocker.result() == "blocker"
    assert ran == ["first", "second", "middle", "late", "later"]


def test_a_delayed_run_does_not_hold_up_those_behind_it() -> None:
    """dramatiq (#479): a delayed message blocked its queue."""
    delayed = one.with_options(delay=0.3).submit(quick, "delayed")
    assert one.submit(quick, "now").result() == "now"
    assert delayed.result() == "delayed"
    assert ran == ["now", "delayed"]


def test_a_failing_run_does_not_stop_its_queue() -> None:
    """Celery (#6185): an error that could not be pickled took the worker with it."""
    bad, good = one.submit(fails, "bad"), one.submit(quick, "good")
    assert isinstance(bad.exception(), ValueError)
    assert good.result() == "good"


def test_a_queue_is_an_executor() -> None:
    """`map` in the order of the calls, over any iterables; errors come where their value would."""
    assert isinstance(one, Executor)
    assert list(three.map(quick, (n for n in range(5)))) == [0, 1, 2, 3, 4]
    assert list(three.map(pair, "abc", range(9))) == ["a0", "b1", "c2"]
    assert list(three.map(quick, [])) == []
    results = three.map(picky, [0, 1, 2])
    assert next(results) == 0
    with pytest.raises(ValueError, match="one"):
        next(results)


@step
def pair(letter: str, number: int) -> str:
    """Two arguments."""
    return f"{letter}{number}"


@step
def picky(number: int) -> int:
    """It does not like one."""
    if number == 1:
        raise ValueError("one")
    return number


def test_a_loop_can_submit_and_wait() -> None:
    """`asubmit`, `await`, `gather`; and `run_in_executor`, as with the pool that it replaces."""

    async def go() -> list[Any]:
        handles = [await three.asubmit(quick, number) for number in range(3)]
        in_executor = asyncio.get_running_loop().run_in_executor(three, quick, 3)
        return [*await asyncio.gather(*handles), await in_executor]

    assert asyncio.run(go()) == [0, 1, 2, 3]


def test_only_what_is_durable_can_be_submitted() -> None:
    """With the mend; a plain pool would take anything."""
    with pytest.raises(perdure.NotDurableError, match=r"@perdure\.step"):
        one.submit(print, "x")
    with pytest.raises(perdure.NotDurableError):
        list(one.map(lambda n: n, [1]))


@workflow
def outer(depth: int) -> int:
    """It needs the queue that it occupies."""
    return 1 if depth == 0 else 1 + inner.submit(outer, depth - 1).result()


@workflow
async def aouter(depth: int) -> int:
    """The same on a loop."""
    return 1 if depth == 0 else 1 + await inner.submit(aouter, depth - 1)


@pytest.mark.parametrize("function", [outer, aouter], ids=["sync", "async"])
def test_a_run_that_waits_for_its_own_queue_gives_its_slot(function: Any) -> None:
    """Prefect, Celery and Hatchet deadlock here; a limit of one and ten levels."""
    assert inner.submit(function, 10).result(PATIENCE_SECONDS) == 11


def test_a_callback_may_submit_again_and_one_that_fails_harms_nobody() -> None:
    """The patterns of `concurrent.futures`."""
    done = threading.Event()
    blocker = one.submit(hold, "callback")
    blocker.add_done_callback(lambda handle: 1 / 0)
    blocker.add_done_callback(lambda handle: one.submit(quick, "again").add_done_callback(lambda _: done.set()))
    signals["callback"].set()
    assert done.wait(PATIENCE_SECONDS)
    assert ran == ["again"]


def test_a_queue_as_a_context_manager_waits_for_what_was_submitted_in_it() -> None:
    """As a pool does at the end of its block; errors are not raised there."""
    with Queue("conformance one", worker_concurrency=1) as block:
        block.submit(quick, 1)
        block.submit(fails, "x")
        block.submit(quick, 2)
    assert ran == ["1", "2"]


def test_a_queue_that_is_shut_down_still_works() -> None:
    """A durable queue outlives whoever submits to it."""
    one.shutdown()
    assert one.submit(quick, "still").result() == "still"


@pytest.mark.parametrize(
    ("name", "concurrency"), [("", 1), ("a\0b", 1), ("x", 0), ("x", -1), ("conformance one", 2)], ids=repr
)
def test_a_queue_that_cannot_be_is_refused_when_it_is_made(name: str, concurrency: int) -> None:
    """Two limits for one name are a mistake that no database would notice."""
    with pytest.raises(perdure.UsageError):
        Queue(name, concurrency)


def test_the_same_id_on_a_queue_is_one_run() -> None:
    """DBOS's deduplication, Hatchet's idempotent triggers."""
    blocker = one.submit(hold, "dedup")
    handles = [one.with_options(id="deduplicated").submit(quick, "once") for _ in range(5)]
    signals["dedup"].set()
    assert [handle.result() for handle in handles] == ["once"] * 5
    assert blocker.result() == "dedup"
    assert ran == ["once"]


def test_a_burst_is_done_whole() -> None:
    """A thousand submissions from four threads."""

    def submit(part: int) -> None:
        for number in range(250):
            three.submit(quick, part * 250 + number)

    threads = [threading.Thread(target=submit, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert three.with_options(priority=9).submit(quick, "last").result() == "last"
    assert len(set(ran)) == 1001
    assert len(ran) == 1001


def test_blocks_of_one_queue_in_several_threads_wait_each_for_their_own() -> None:
    """A block must not wait for what others submit, nor lose what it submitted itself."""
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        with three:
            three.submit(hold, "held by another")
            inside.set()
            await_signal("own block is over")
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    assert inside.wait(PATIENCE_SECONDS)
    with three:
        own = three.with_options(priority=1).submit(quick, "own")
    assert own.done()
    signals["own block is over"].set()
    assert not done.is_set()
    signals["held by another"].set()
    assert done.wait(PATIENCE_SECONDS)
    thread.join()


def test_the_timeout_of_a_map_is_for_all_of_it() -> None:
    """As `Executor.map`; each value alone would be in time."""
    begun_at = time.monotonic()
    results = one.map(hold, ["map a", "map b"], timeout=0.3)
    signals["never"].wait(0.2)
    signals["map a"].set()
    assert next(results) == "map a"
    with pytest.raises(TimeoutError):
        next(results)
    assert time.monotonic() - begun_at < 0.49
    signals["map b"].set()


def test_a_map_shares_its_commits(app: perdure.Perdure) -> None:
    """A commit for each would cost a thousand times as much; none of it is started if one argument is refused."""
    assert app._runtime is not None
    before = app._runtime.journal.batches
    three.with_options(delay=3600).map(quick, range(500))
    assert app._runtime.journal.batches - before < 20
    with pytest.raises(perdure.SerializationError):
        three.map(quick, ["refused", object()])
    assert three.submit(quick, "next").result() == "next"
    assert ran == ["next"]
