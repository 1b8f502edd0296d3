"""LangGraph: four nodes at once by `Send`, then an answer."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

import perdure
from perdure.integrations.langgraph import durable
from tests.agents.programs.shop import QUESTION as QUESTION
from tests.agents.programs.shop import price_of, said, wanted


class State(TypedDict, total=False):
    """Of the graph."""

    question: str
    items: list[str]
    prices: Annotated[list[int], operator.add]
    answer: str


async def model(state: State) -> dict[str, Any]:
    """The model, the first time."""
    await said(1)
    return {"items": wanted(state["question"])}


def to_all(state: State) -> list[Send]:
    """A node for each item."""
    return [Send("price", item) for item in state["items"]]


async def price(item: str) -> dict[str, Any]:
    """The tool."""
    return {"prices": [await price_of(item)]}


async def total(state: State) -> dict[str, Any]:
    """The model, the second time."""
    await said(2)
    return {"answer": f"together {sum(state['prices'])}"}


builder = StateGraph(State)
builder.add_node("model", model)
builder.add_node("price", price)
builder.add_node("total", total)
builder.add_edge(START, "model")
builder.add_conditional_edges("model", to_all, ["price"])
builder.add_edge("price", "total")
builder.add_edge("total", END)
graph = builder.compile()


@perdure.workflow
async def ask(question: str) -> str:
    return str((await durable(graph).ainvoke({"question": question}))["answer"])
