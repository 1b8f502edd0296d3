"""An agent of no framework: a model whose tokens are read live, four tools at once, and a person who approves one.

The model holds its answer back after the first token, until a reader in another process has seen that.
"""

from __future__ import annotations

import asyncio
from uuid import uuid4

import perdure
from tests.agents.ledger import note, reading
from tests.agents.programs.shop import QUESTION as QUESTION
from tests.agents.programs.shop import price_of, wanted
from tests.generated.notes import DEATH

FRAMEWORK = None
DEAR = "jam"
"""Its price is only told with somebody's approval."""
TOKEN = f"may I ask for the price of {DEAR}?"
PATIENCE_SECONDS = 20.0

Said = list[list[str]]
"""What the model has said: tokens, each beside the mark of the attempt that has said it."""


async def has_been_read(mark: str) -> None:
    """Wait until a reader has seen the mark."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not reading().exists() or mark not in reading().read_text():  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.002)


@perdure.step
async def model(turn: int, words: list[str]) -> Said:
    """Says the words, one after the other."""
    note(f"model {turn}")
    mark, said = uuid4().hex, Said()
    for word in words:
        said.append([mark, word])
        perdure.stream("tokens").write(said[-1])
        DEATH.tick("note")
        await has_been_read(mark)
    return said


@perdure.step
async def price(item: str) -> int:
    """What it costs."""
    return await price_of(item)


@perdure.step
async def ask_a_person(token: str) -> None:
    """Hands out the token."""
    note("asked")


async def approved_price(item: str) -> int:
    """What it costs, if somebody says that it may be asked for."""
    if item == DEAR:
        approval = perdure.hook(bool, token=TOKEN, question=TOKEN)
        await ask_a_person(approval.token)
        if not await approval:
            return 0
    return await price(item)


@perdure.workflow
async def ask(question: str) -> str:
    """The model, the four tools, the model; what it has said is an event."""
    said = await model(1, wanted(question))
    prices = await asyncio.gather(*(approved_price(item) for _, item in said))
    said += await model(2, ["together", str(sum(prices))])
    perdure.set_event("said", said)
    return " ".join(word for _, word in said[-2:])
