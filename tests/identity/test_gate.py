"""A position is given to an outcome that reaches the run's code, and recorded before the next one is given."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._core.lineage import Branch, scope
from perdure._core.order import Order
from perdure._core.run import Run
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._engine.hosting.asyncio.gate import Gate
from tests.identity import programs
from tests.identity.execute import run_loop
from tests.identity.killing import RUN_ID, deliveries


def make_run(order: Order) -> Run:
    """A run with two branches."""
    run = Run(
        "r", "c", kind="workflow", name="w", queue="", attempts=1, parent_id=None, serializer=Serializer(TypeRegistry())
    )
    run.is_concurrent = True
    run.order = order
    return run


def make_gate(run: Run, *, patience: float = 60.0) -> tuple[Gate, set[asyncio.Task[Any]], list[tuple[str, bool]]]:
    """Its gate on this loop, its tasks, and what the gate gives up."""
    tasks: set[asyncio.Task[Any]] = set()
    gave_up: list[tuple[str, bool]] = []
    loop = asyncio.get_running_loop()
    gate = Gate(run, loop, tasks, patience, lambda key, may_be: gave_up.append((key, may_be)), set)
    return gate, tasks, gave_up


def make_task(run: Run, tasks: set[asyncio.Task[Any]], coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """A task of the run, as its context says."""
    context = contextvars.copy_context()
    context.run(scope.set, Branch(run, is_async=True))
    task = asyncio.create_task(coroutine, context=context)
    tasks.add(task)
    return task


async def take(gate: Gate, key: str) -> None:
    """Wait for the call's turn, and have it."""
    turn = gate.wait(key)
    try:
        await turn
        gate.run.order.advance(key)
    finally:
        gate.taken(turn)


def test_who_is_cancelled_before_it_wakes_has_no_turn() -> None:
    """Else the position that it was given would be missing in what is recorded."""

    async def main() -> int:
        gate, tasks, _ = make_gate(make_run(Order()))
        turn = gate.wait("a")

        async def wait() -> None:
            await turn
            gate.run.order.advance("a")

        task = make_task(gate.run, tasks, wait())
        while not turn.done():  # noqa: ASYNC110  # turn by turn, to be there in the moment after
            await asyncio.sleep(0)
        task.cancel()  # between the gate's decision and the task's next step
        await asyncio.wait([task])
        assert task.cancelled()
        return gate.run.order.next_position

    assert asyncio.run(main()) == 0


@pytest.mark.parametrize("others", [0, 100])
@pytest.mark.parametrize("loop", ["stock", "uvloop"])
def test_a_delivery_waits_for_the_reaction_to_the_one_before(others: int, loop: str) -> None:
    """However many passes of the loop the code needs, and with more tasks than are looked at every time."""

    async def main() -> list[str]:
        gate, tasks, _ = make_gate(make_run(Order()))
        seen: list[str] = []

        async def receive(name: str, passes: int) -> None:
            await take(gate, name)
            for _ in range(passes):
                await asyncio.sleep(0)
            seen.append(name)

        waiting = [make_task(gate.run, tasks, asyncio.Event().wait()) for _ in range(others)]
        receivers = [make_task(gate.run, tasks, receive(name, 40 - 12 * place)) for place, name in enumerate("abc")]
        await asyncio.gather(*receivers)
        for task in waiting:
            task.cancel()
        return seen

    assert run_loop(main(), kind=loop) == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["stock", "uvloop"])
def test_nothing_is_handed_over_before_what_was_ready_has_run(kind: str) -> None:
    """A task that was just created, a callback, a callback of a callback; the first time and later."""

    async def main() -> list[str]:
        gate, tasks, _ = make_gate(make_run(Order()))
        seen: list[str] = []
        loop = asyncio.get_running_loop()

        async def begin() -> None:
            seen.append("begun")

        async def program() -> None:
            for key in "ab":
                make_task(gate.run, tasks, begin())
                loop.call_soon(loop.call_soon, loop.call_soon, seen.append, "called back")
                await take(gate, key)
                seen.append("delivered")
                await asyncio.sleep(0.01)  # the gate waits for nothing meanwhile

        await make_task(gate.run, tasks, program())
        return seen

    assert run_loop(main(), kind=kind) == ["begun", "called back", "delivered"] * 2


def test_a_run_that_never_rests_is_served_all_the_same() -> None:
    """A task that spins must not stop the run."""

    async def main() -> int:
        gate, tasks, _ = make_gate(make_run(Order()))

        async def spin() -> None:
            while True:  # noqa: ASYNC110  # it is one that spins
                await asyncio.sleep(0)

        spinner = make_task(gate.run, tasks, spin())
        for number in range(20):
            await make_task(gate.run, tasks, take(gate, str(number)))
        spinner.cancel()
        return gate.run.order.next_position

    assert asyncio.run(main()) == 20


def test_what_another_run_does_holds_up_nobody() -> None:
    """It spins; this one is at rest."""

    async def main() -> int:
        gate, tasks, _ = make_gate(make_run(Order()))
        passes = 0

        async def spin() -> None:
            nonlocal passes
            while True:
                passes += 1
                await asyncio.sleep(0)

        spinner = make_task(make_run(Order()), set(), spin())
        await make_task(gate.run, tasks, take(gate, "a"))
        spinner.cancel()
        return passes

    assert asyncio.run(main()) < 10


def test_calls_that_are_cancelled_together_are_handed_that_in_the_recorded_order() -> None:
    """Whoever is cancelled first: a group cancels in the order of a set, which is another one in each process."""

    async def main(recorded: str, cancelled: str) -> list[str]:
        order = Order([(place, f"!{key}") for place, key in enumerate(recorded)])
        gate, tasks, _ = make_gate(make_run(order))
        seen: list[str] = []

        async def call(key: str) -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                turn = gate.wait_cancelled(key)
                with suppress(asyncio.CancelledError):
                    await turn
                assert turn.result() == (recorded.index(key), True)
                seen.append(key)

        made = {key: make_task(gate.run, tasks, call(key)) for key in recorded}
        await asyncio.sleep(0)
        for key in cancelled:
            made[key].cancel()
        await asyncio.sleep(0)
        for key in cancelled:  # and once more, while they wait for that
            made[key].cancel()
        await asyncio.wait(made.values())
        return seen

    assert asyncio.run(main("cabd", "abcd")) == list("cabd")
    assert asyncio.run(main("cabd", "dbac")) == list("cabd")


def test_a_call_that_stays_open_does_not_use_up_the_patience() -> None:
    """It is asked for; that its turn comes when the code cancels it, however late, is as it should be."""

    async def main() -> list[Any]:
        order = Order([(0, "!late"), (1, "a")])
        order.stays_open("late")
        gate, tasks, gave_up = make_gate(make_run(order), patience=0.001)
        make_task(gate.run, tasks, asyncio.Event().wait())  # which anybody may set
        turn = gate.wait("a")
        await asyncio.wait([turn], timeout=0.05)
        first = list(gave_up)
        order.was_closed("late")  # nobody asks for it any more
        again = gate.wait("b")
        await asyncio.wait([turn, again], timeout=0.05)
        return [*first, "then", *gave_up]

    assert asyncio.run(main()) == ["then", ("a", True)]


def test_a_call_that_nothing_can_make_any_more_is_missed_at_once() -> None:
    """All tasks wait for it; no timer, and nobody else, could still ask for it."""

    async def main() -> tuple[list[Any], list[Any]]:
        gate, tasks, gave_up = make_gate(make_run(Order([(0, "missing"), (1, "a")])))

        async def wait() -> None:
            await asyncio.sleep(0.01)
            await gate.wait("a")

        made = make_task(gate.run, tasks, wait())
        await asyncio.sleep(0)
        gate.catch_up("new")
        await asyncio.sleep(0.001)
        before = list(gave_up)
        await asyncio.wait([made], timeout=0.1)
        return before, gave_up

    before, gave_up = asyncio.run(main())
    assert before == []
    assert gave_up[:1] == [("a", False)]


def test_threads_record_in_the_order_in_which_they_were_served(tmp_path: Path) -> None:
    """A thread that is held up between its turn and the journal holds up the others' turns, or a kill leaves a gap."""
    url = str(tmp_path / "p.db")
    with perdure.running(url, poll_seconds=0.05) as app:
        journal = app._launched().journal  # its append is slowed down, not replaced
        append, is_first = journal.append, threading.Lock()
        rows: list[int | None] = []

        def append_late(lane: Any, entry: Any, *rest: Any, **options: Any) -> int:
            if getattr(entry, "position", None) is not None:
                if is_first.acquire(blocking=False):
                    threading.Event().wait(0.1)
                rows.append(entry.position)
            return append(lane, entry, *rest, **options)

        journal.append = append_late  # type: ignore[method-assign]
        perdure.with_options(id=RUN_ID).start(programs.observing_threads, 3, 1).result(30)
    assert rows == [0, 1, 2, 3, 4, 5]
    assert len(deliveries(url)) == 6
