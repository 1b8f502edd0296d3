"""A run that goes on as a new one: one run to all others, with a short history of its own."""

from __future__ import annotations

import asyncio
import functools
import threading
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure import (
    RunCancelledError,
    RunTimeoutError,
    UsageError,
    WaitTimeoutError,
    continue_as_new,
    idempotency_key,
    on_update,
    recv,
    send,
    start,
    step,
    threads,
    undo,
    with_options,
    workflow,
)
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import areplay, await_signal, ran, replay, signals, state_of, until
from tests.inside.clock import skip_time

running = functools.partial(perdure.running, **SETTINGS)


@step
def count(number: int) -> str:
    """It tells a repetition from another round."""
    ran.append(f"{number}")
    return idempotency_key()


@step
def take_back(number: int) -> None:
    """What undoes it."""
    ran.append(f"{number} back")


@workflow
def rounds(number: int, most: int, keys: list[str]) -> list[str]:
    """A step, a replay, and the next round."""
    keys = [*keys, count(number)]
    replay()
    if number < most:
        continue_as_new(number + 1, most, keys=keys)
    return keys


@workflow
async def arounds(number: int, most: int, keys: list[str]) -> list[str]:
    """The same, async, through what takes every `Exception`."""
    keys = [*keys, count(number)]
    await areplay()
    try:
        if number < most:
            continue_as_new(number + 1, most, keys)
    except Exception as error:
        raise AssertionError from error
    finally:
        ran.append("cleaned up")
    return keys


@workflow
def waits_for_rounds(most: int) -> int:
    """A parent, which sees one child."""
    keys = rounds(0, most, [])
    replay()
    return len(keys)


@workflow
def listens(got: list[str]) -> list[str]:
    """A message in each round."""
    got = [*got, recv("word")]
    if got[-1] != "end":
        continue_as_new(got)
    return got


@workflow
def parent_rounds(number: int) -> list[int]:
    """Children in each round, one of which it does not wait for."""
    children = [start(double, number), start(double, number + 10)]
    start(double, number + 100)
    values = [handle.result() for handle in children]
    if number < 3:
        continue_as_new(number + 1)
    return values


@workflow
async def branches_in_rounds(number: int) -> str:
    """Children of a branch, for which the first round does not wait."""
    if not number:
        await perdure.gather(*(with_options(delay=3600).astart(double, at) for at in range(2)))
        continue_as_new(number + 1)
    await areplay()
    return count(number)


@workflow
def double(number: int) -> int:
    """A child, which leaves memory."""
    replay()
    return 2 * number


@workflow
def undoes(number: int) -> None:
    """Its second life fails."""
    undo(take_back, number)
    count(number)
    if number == 0:
        continue_as_new(1)
    raise RuntimeError("no")


@workflow
def for_ever(number: int) -> None:
    """It would go on for ever."""
    signals["round"].set()
    perdure.sleep(0.05)
    continue_as_new(number + 1)


@workflow
def many(number: int, most: int) -> int:
    """Nothing but rounds."""
    count(number)
    if number < most:
        continue_as_new(number + 1, most)
    return number


@dataclass
class Counter:
    """A workflow that is a method."""

    start: int

    @workflow
    def run(self, number: int) -> int:
        """It gives its object on."""
        if number < 2:
            continue_as_new(self, number + 1)
        return self.start + number


perdure.register(Counter)


@workflow
async def in_a_task() -> None:
    """A branch is no run."""

    async def branch() -> None:
        continue_as_new()

    await asyncio.gather(branch(), areplay())


@workflow
def in_a_thread() -> None:
    """Neither here."""
    with threads() as pool:
        pool.submit(continue_as_new).result()


@workflow
def takes_one(number: int) -> str:
    """It gives itself two."""
    try:
        continue_as_new(number, number)
    except UsageError as error:
        return str(error)


@step
def continues() -> None:
    """Not in a step."""
    continue_as_new()


@workflow
def steps_that_continue() -> str:
    """What a step says."""
    try:
        continues()
    except UsageError as error:
        return str(error)
    return "nothing"


async def for_an_hour() -> None:
    """Is there to be cancelled."""
    await perdure.sleep(3600)


@workflow
async def in_groups(number: int, most: int) -> int:
    """Says so inside task groups, which cancel their tasks and raise it in groups of errors."""
    async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
        tasks = [outer.create_task(for_an_hour()), inner.create_task(for_an_hour())]
        await asyncio.sleep(0)
        if number < most:
            continue_as_new(number + 1, most)
        for task in tasks:
            task.cancel()
    return number


def test_it_goes_on_from_inside_task_groups(app: perdure.Perdure) -> None:
    """However deep."""
    assert start(in_groups, 0, 2).result(20) == 2


@workflow
def cleans_up(count: int) -> int:
    """Takes its time to leave a life."""

    def add() -> int:
        nonlocal count
        count += 1
        return count

    on_update("add", add)
    if recv("next") == "end":
        return count
    try:
        continue_as_new(count)
    finally:
        ran.append("leaving")
        recv("cleaned up")


@workflow
async def acleans_up(count: int) -> int:
    """The same, async."""

    def add() -> int:
        nonlocal count
        count += 1
        return count

    on_update("add", add)
    if await recv("next") == "end":
        return count
    try:
        continue_as_new(count)
    finally:
        ran.append("leaving")
        await recv("cleaned up")


@pytest.mark.parametrize("fn", [cleans_up, acleans_up])
def test_an_update_that_the_next_round_would_not_know_of_is_left_to_it(app: perdure.Perdure, fn: Any) -> None:
    """Its arguments are given already: what is accepted after that would be done, and lost."""
    handle = start(fn, 0)
    send(handle, "on", topic="next")
    until(lambda: "leaving" in ran)
    with pytest.raises(WaitTimeoutError):
        handle.update("add", key="k", timeout=0.2)
    send(handle, "now", topic="cleaned up")
    assert handle.update("add", key="k") == 1
    send(handle, "end", topic="next")
    assert handle.result(20) == 1


@pytest.mark.parametrize("fn", [rounds, arounds])
def test_a_run_goes_on_and_its_handle_follows(app: perdure.Perdure, fn: Any) -> None:
    """Each round's step ran once, under a key of its own; the first handle gives what the last life gave."""
    handle = with_options(id=f"{fn.__name__} {id(app)}").start(fn, 0, 3, [])
    keys = handle.result(20)
    assert len(set(keys)) == 4
    assert all(key.startswith(handle.run_id) for key in keys)
    assert [line for line in ran if line != "cleaned up"] == ["0", "1", "2", "3"]
    again = with_options(id=handle.run_id).start(fn, 0, 3, [])
    assert again.result(20) == keys, "the same start is the same run"


def test_a_direct_call_goes_on(app: perdure.Perdure) -> None:
    """Whoever calls waits for the last life."""
    assert many(0, 2) == 2
    assert Counter(40).run(0) == 42


def test_a_parent_sees_one_child(app: perdure.Perdure) -> None:
    """It goes on when the last life has ended."""
    assert start(waits_for_rounds, 2).result(20) == 3


def test_messages_that_were_not_received_are_there_in_the_next_round(app: perdure.Perdure) -> None:
    """Each once, in their order, whenever they were sent."""
    handle = start(listens, [])
    send(handle, "one", topic="word")
    send(handle, "two", topic="word")
    until(lambda: len(perdure.runs.get(handle.run_id).messages) >= 2)
    send(handle, "end", topic="word")
    assert handle.result(20) == ["one", "two", "end"]


def test_children_of_an_earlier_round_are_no_children_of_the_next(app: perdure.Perdure) -> None:
    """Nor does their end wake it again and again: what it waits for are its own."""
    handle = start(parent_rounds, 0)
    assert handle.result(20) == [6, 26]
    assert len(perdure.runs.get(handle.run_id).children) <= 6, "those that had not ended when their round did"


def test_branches_of_an_earlier_round_are_not_waited_for(app: perdure.Perdure) -> None:
    """Their children have not ended, and are the run's."""
    handle = start(branches_in_rounds, 0)
    handle.result(20)
    assert ran == ["1"]
    assert {child.status for child in perdure.runs.get(handle.run_id).children} == {"ready"}


def test_what_an_earlier_round_did_is_done(app: perdure.Perdure) -> None:
    """The life that fails is undone, and no other."""
    handle = start(undoes, 0)
    assert isinstance(handle.exception(20), RuntimeError)
    perdure.handle(f"{handle.run_id}:undo").result(20)
    assert ran == ["0", "1", "1 back"]


def test_a_cancel_ends_the_life_that_is_running(app: perdure.Perdure) -> None:
    """And all that would follow."""
    handle = start(for_ever, 0)
    await_signal("round")
    assert handle.cancel()
    with pytest.raises(RunCancelledError):
        handle.result(20)
    assert state_of(app, handle.run_id) == "cancelled"


def test_a_deadline_is_that_of_all_rounds(url: str) -> None:
    """The time is the run's, whatever life it is in."""
    with running(url):
        handle = with_options(timeout=timedelta(hours=1)).start(for_ever, 0)
        await_signal("round")
        skip_time(url, 4000)
        with pytest.raises(RunTimeoutError):
            handle.result(20)


def test_a_long_loop_has_a_short_history(app: perdure.Perdure) -> None:
    """As many records and wakes as of one round, and one row."""
    handle = start(many, 0, 20)
    assert handle.result(60) == 20
    assert len(perdure.runs.get(handle.run_id).steps) == 1
    assert ran == [str(number) for number in range(21)]


@pytest.mark.long
def test_ten_thousand_rounds(app: perdure.Perdure) -> None:
    """The ten-thousandth replays what the first does."""
    handle = start(many, 0, 10_000)
    assert handle.result(900) == 10_000
    assert len(perdure.runs.get(handle.run_id).steps) == 1


def test_it_is_refused_where_it_cannot_be(sqlite_app: perdure.Perdure) -> None:
    """Outside a run, in a step, in a branch, and with arguments that do not fit: nothing is done."""
    with pytest.raises(UsageError, match="for the code of a workflow"):
        continue_as_new()
    assert "for the code of a workflow" in start(steps_that_continue).result(20)
    with pytest.raises(UsageError, match="in a branch of run"):
        start(in_a_task).result(20)
    with pytest.raises(UsageError, match="in a branch of run"):
        start(in_a_thread).result(20)
    assert "do not fit" in start(takes_one, 1).result(20)


@workflow
def gives_a_lock(given: object) -> str:
    """A lock cannot be stored."""
    try:
        continue_as_new(threading.Lock())
    except perdure.SerializationError as error:
        return str(error)


def test_what_cannot_be_stored_is_refused(sqlite_app: perdure.Perdure) -> None:
    """The workflow may handle it, and nothing was done."""
    assert "lock" in start(gives_a_lock, 1).result(20)
