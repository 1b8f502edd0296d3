"""LlamaIndex Workflows, unmodified: what they call of Perdure is durable, beside each other and in their own order."""

from __future__ import annotations

from pathlib import Path

import pytest

import perdure
from tests.agents.replays import Reader, hold, live_twice, ran, step_names

pytest.importorskip("workflows", reason="make agents")

from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent
from workflows.retry_policy import retry_policy, stop_after_attempt, wait_fixed


class Part(Event):
    """A piece of the work."""

    number: int


class Done(Event):
    """It is done."""

    number: int


@perdure.step
async def double(number: int) -> int:
    ran["double"] += 1
    return 2 * number


@perdure.step
async def shaky() -> None:
    ran["shaky"] += 1
    if ran["shaky"] < 3:
        raise ConnectionError("again")


class Halves(Workflow):
    """Parts beside each other, collected; the first step is tried again by the framework."""

    @step(retry_policy=retry_policy(wait=wait_fixed(0.01), stop=stop_after_attempt(3)))
    async def begin(self, ctx: Context, ev: StartEvent) -> Part | None:
        ran["step of the framework"] += 1
        await shaky()
        for number in range(3):
            ctx.send_event(Part(number=number))
        return None

    @step(num_workers=3)
    async def work(self, ctx: Context, ev: Part) -> Done:
        ctx.write_event_to_stream(ev)
        return Done(number=await double(ev.number))

    @step
    async def end(self, ctx: Context, ev: Done) -> StopEvent | None:
        found = ctx.collect_events(ev, [Done] * 3)
        return None if found is None else StopEvent(result=sorted(event.number for event in found))


@perdure.workflow
async def runs() -> tuple[list[int], int]:
    handler = Halves(timeout=None).run()
    streamed = [event async for event in handler.stream_events() if isinstance(event, Part)]
    found = await handler
    await hold()
    return found, len(streamed)


async def test_nothing_recorded_runs_again(tmp_path: Path) -> None:
    """Steps of Perdure in steps of the framework; its own retries, workers and streams work as they do."""
    assert await live_twice(str(tmp_path / "p.db"), runs) == ([0, 2, 4], 3)
    assert ran["double"] == ran["shaky"] == 3
    assert ran["step of the framework"] == 6
    assert len(step_names(tmp_path / "p.db")) == 6


READER = Reader()


class Telling(Workflow):
    """Tells a first part, and the second when somebody has read that."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> StopEvent:
        ctx.write_event_to_stream(Part(number=await double(1)))
        await has_been_read()
        ctx.write_event_to_stream(Part(number=await double(2)))
        return StopEvent(result="told")


@perdure.step
async def has_been_read() -> None:
    ran["waited"] += 1
    await READER.has_read.wait()


@perdure.workflow
async def streams() -> str:
    handler = Telling(timeout=None).run()
    async for event in handler.stream_events():
        if isinstance(event, Part):
            perdure.stream("tokens").write(event.model_dump(mode="json"))
    await perdure.sleep(0.1)
    return str(await handler)


async def test_events_are_read_outside_the_run(tmp_path: Path) -> None:
    """While the framework's workflow is under way, by a loop in ours; a replay writes nothing again."""
    live, again, told = await READER.read(str(tmp_path / "p.db"), streams)
    assert live == again == [{"number": 2}, {"number": 4}]
    assert (told, ran) == ("told", {"double": 2, "waited": 1})
