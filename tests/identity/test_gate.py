"""A position is given to an outcome that reaches the run's code, and recorded before the next one is given."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import perdure
from perdure._core.order import Order
from perdure._core.run import Run
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._engine.gate import QUIET_TURNS, Gate
from tests.identity import programs
from tests.identity.killing import RUN_ID, deliveries


def make_run(order: Order) -> Run:
    """A run with two branches."""
    run = Run(
        "r", "c", kind="workflow", name="w", queue="", attempts=1, parent_id=None, serializer=Serializer(TypeRegistry())
    )
    run.is_concurrent = True
    run.order = order
    return run


def test_who_is_cancelled_before_it_wakes_has_no_turn() -> None:
    """Else the position that it was given would be missing in what is recorded."""

    async def main() -> int:
        loop = asyncio.get_running_loop()
        run = make_run(Order())
        gate = Gate(run, loop, set())
        assert gate.try_now("a")
        run.order.advance("a")
        turn = gate.wait("b", 60.0, lambda key: None)
        task = asyncio.ensure_future(wait_for_turn(turn, run))
        while not turn.done():  # noqa: ASYNC110  # turn by turn, to be there in the moment after
            await asyncio.sleep(0)
        task.cancel()  # between the gate's decision and the task's next step
        await asyncio.wait([task])
        assert task.cancelled()
        return run.order.next_position

    assert asyncio.run(main()) == 1


async def wait_for_turn(turn: asyncio.Future[None], run: Run) -> None:
    await turn
    run.order.advance("b")


def test_a_delivery_waits_for_the_reaction_to_the_one_before() -> None:
    """However many turns of the loop the code needs, and with more tasks than are looked at every time."""

    async def main(others: int) -> list[str]:
        loop = asyncio.get_running_loop()
        run = make_run(Order())
        tasks: set[asyncio.Task[Any]] = set()
        gate = Gate(run, loop, tasks)
        seen: list[str] = []

        async def receive(name: str, turns: int) -> None:
            if not gate.try_now(name):
                await gate.wait(name, 60.0, lambda key: None)
            run.order.advance(name)
            for _ in range(turns):
                await asyncio.sleep(0)
            seen.append(name)

        waiting = [asyncio.create_task(asyncio.Event().wait()) for _ in range(others)]
        receivers = [
            asyncio.create_task(receive(name, 5 * QUIET_TURNS - 9 * place)) for place, name in enumerate("abc")
        ]
        tasks.update(waiting, receivers)
        await asyncio.gather(*receivers)
        for task in waiting:
            task.cancel()
        return seen

    assert asyncio.run(main(others=0)) == ["a", "b", "c"]
    assert asyncio.run(main(others=100)) == ["a", "b", "c"]


def test_a_call_that_stays_open_does_not_use_up_the_patience() -> None:
    """It is asked for; that its turn comes when the code cancels it, however late, is as it should be."""

    async def main() -> list[str]:
        order = Order([(0, "!late"), (1, "a")])
        order.stays_open("late")
        gave_up: list[str] = []
        gate = Gate(make_run(order), asyncio.get_running_loop(), set())
        turn = gate.wait("a", 0.001, gave_up.append)
        await asyncio.wait([turn], timeout=0.05)
        first = list(gave_up)
        order.was_closed("late")  # nobody asks for it any more
        await asyncio.wait([turn], timeout=0.05)
        return [*first, "then", *gave_up]

    assert asyncio.run(main()) == ["then", "a"]


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
