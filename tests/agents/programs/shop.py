"""What the programs of all frameworks do: a question, four prices that are asked for at once, their sum."""

from __future__ import annotations

import asyncio

from tests.agents.ledger import note

QUESTION = "What do tea, milk, bread and jam cost together?"
ANSWER = "together 42"
PRICES = {"tea": 12, "milk": 7, "bread": 8, "jam": 15}


def wanted(question: str) -> list[str]:
    """The items that the question names."""
    return [item for item in PRICES if item in question]


async def said(turn: int) -> None:
    """The model was asked, for the nth time."""
    note(f"model {turn}")
    await asyncio.sleep(0)


async def price_of(item: str) -> int:
    """A tool: takes a moment, for each another one, so that the four end one after the other."""
    note(f"price {item}")
    await asyncio.sleep(0.002 * PRICES[item])
    return PRICES[item]
