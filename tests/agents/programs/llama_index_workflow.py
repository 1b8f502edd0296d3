"""LlamaIndex Workflows, unmodified: four workers at once, their events collected. What they call is a step."""

from __future__ import annotations

from workflows import Context, Workflow, step
from workflows.events import Event, StartEvent, StopEvent

import perdure
from tests.agents.programs.shop import QUESTION as QUESTION
from tests.agents.programs.shop import price_of, said, wanted


class Wanted(Event):
    """A price is asked for."""

    item: str


class Priced(Event):
    """It is known."""

    price: int


@perdure.step
async def asks_for(question: str) -> list[str]:
    """The model, the first time."""
    await said(1)
    return wanted(question)


@perdure.step
async def adds_up(prices: list[int]) -> str:
    """The model, the second time."""
    await said(2)
    return f"together {sum(prices)}"


@perdure.step
async def price(item: str) -> int:
    """The tool."""
    return await price_of(item)


class Shop(Workflow):
    """Asks for all prices at once."""

    @step
    async def begin(self, ctx: Context, ev: StartEvent) -> Wanted | None:
        items = await asks_for(ev.question)
        await ctx.store.set("items", len(items))
        for item in items:
            ctx.send_event(Wanted(item=item))
        return None

    @step(num_workers=4)
    async def look(self, ev: Wanted) -> Priced:
        return Priced(price=await price(ev.item))

    @step
    async def end(self, ctx: Context, ev: Priced) -> StopEvent | None:
        found = ctx.collect_events(ev, [Priced] * await ctx.store.get("items"))
        return None if found is None else StopEvent(result=await adds_up([event.price for event in found]))


@perdure.workflow
async def ask(question: str) -> str:
    return str(await Shop(timeout=None).run(question=question))
