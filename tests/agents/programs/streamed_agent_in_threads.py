"""The same agent as `streamed_agent`, sync: its tools in threads."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import perdure
from tests.agents.ledger import note
from tests.agents.programs.shop import QUESTION as QUESTION
from tests.agents.programs.shop import price_of, wanted
from tests.agents.programs.streamed_agent import DEAR, TOKEN, Said, has_been_read
from tests.generated.notes import DEATH

FRAMEWORK = None


@perdure.step
def model(turn: int, words: list[str]) -> Said:
    """Says the words, one after the other."""
    note(f"model {turn}")
    mark, said = uuid4().hex, Said()
    for word in words:
        said.append([mark, word])
        perdure.stream("tokens").write(said[-1])
        DEATH.tick("note")
        asyncio.run(has_been_read(mark))
    return said


@perdure.step
def price(item: str) -> int:
    """What it costs."""
    return asyncio.run(price_of(item))


@perdure.step
def ask_a_person(token: str) -> None:
    """Hands out the token."""
    note("asked")


def approved_price(item: str) -> int:
    """What it costs, if somebody says that it may be asked for."""
    if item == DEAR:
        approval = perdure.hook(bool, token=TOKEN, question=TOKEN)
        ask_a_person(approval.token)
        if not approval.wait():
            return 0
    return price(item)


@perdure.workflow
def ask(question: str) -> str:
    """The model, the four tools, the model; what it has said is an event."""
    said = model(1, wanted(question))
    with perdure.threads(4) as pool:
        prices = list(pool.map(approved_price, [item for _, item in said]))
    said += model(2, ["together", str(sum(prices))])
    perdure.set_event("said", said)
    return " ".join(word for _, word in said[-2:])
