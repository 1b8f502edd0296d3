"""LangGraph: each node a step, under which name, and what is not repeated on replay."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

import perdure
from tests.agents.replays import hold, live_twice, ran, step_names

pytest.importorskip("langgraph", reason="make agents")

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.types import Command, interrupt

from perdure.integrations.langgraph import durable


class State(TypedDict, total=False):
    """Of the graphs."""

    messages: Annotated[list[AnyMessage], add_messages]
    seen: Annotated[list[str], operator.add]


async def model(state: State) -> dict[str, Any]:
    """Answers with a message."""
    ran["model"] += 1
    return {"messages": [AIMessage(f"told {len(state['messages'])}", id="a")]}


async def left(state: State) -> dict[str, Any]:
    ran["left"] += 1
    return {"seen": ["left"]}


def right(state: State) -> dict[str, Any]:
    """Sync: the framework runs it in a thread, inside the step."""
    ran["right"] += 1
    return {"seen": ["right"]}


async def inline(state: State) -> dict[str, Any]:
    ran[f"inline in a {perdure.where()}"] += 1
    return {"seen": ["inline"]}


async def goes(state: State) -> Command[Any]:
    ran["goes"] += 1
    return Command(update={"seen": ["goes"]}, goto="inline")


async def asks_somebody(state: State) -> dict[str, Any]:
    ran["asks"] += 1
    return {"seen": [interrupt("sure?")]}


def inner() -> Any:
    """A graph that is a node of another one."""
    builder = StateGraph(State)
    builder.add_node("left", left)
    builder.add_edge(START, "left")
    return builder.compile()


def outer() -> Any:
    """One after the other, two beside each other, a graph, and a jump."""
    builder = StateGraph(State)
    builder.add_node("model", model)
    builder.add_node("right", right)
    builder.add_node("inner", inner())
    builder.add_node("goes", goes)
    builder.add_node("inline", inline)
    builder.add_edge(START, "model")
    builder.add_edge("model", "right")
    builder.add_edge("model", "inner")
    builder.add_edge(["right", "inner"], "goes")
    builder.add_edge("inline", END)
    return builder.compile()


def asking() -> Any:
    """Asks a person in the middle."""
    builder = StateGraph(State)
    builder.add_node("asks", asks_somebody)
    builder.add_edge(START, "asks")
    return builder.compile(checkpointer=InMemorySaver())


GRAPHS = {"outer": outer(), "asking": asking()}


@perdure.workflow
async def runs() -> tuple[list[str], str]:
    graph = durable(GRAPHS["outer"], nodes={"inline": False})
    state = await graph.ainvoke({"messages": [HumanMessage("hello", id="h")], "seen": []})
    await hold()
    return sorted(state["seen"]), state["messages"][-1].content


async def test_nothing_recorded_runs_again_and_names_are_kept(tmp_path: Path) -> None:
    """The names are in the databases of users: whoever changes one strands their runs."""
    seen, said = await live_twice(str(tmp_path / "p.db"), runs)
    assert {"goes", "inline", "left", "right"} <= set(seen)
    assert said == "told 1"
    assert ran == {"model": 1, "left": 1, "right": 1, "goes": 1, "inline in a workflow": 2}
    assert step_names(tmp_path / "p.db") == [
        "langgraph.node:goes",
        "langgraph.node:inner/left",
        "langgraph.node:model",
        "langgraph.node:right",
    ]


@perdure.workflow
async def is_asked() -> list[str]:
    graph = durable(GRAPHS["asking"])
    config = {"configurable": {"thread_id": "one"}}
    stopped = await graph.ainvoke({"seen": []}, config)
    state = await graph.ainvoke(Command(resume="yes"), config)
    await hold()
    return [stopped["__interrupt__"][0].value, *state["seen"]]


async def test_a_graph_stops_and_goes_on_inside_its_run(tmp_path: Path) -> None:
    """What a node asks is recorded, and so is what it does with the answer."""
    assert await live_twice(str(tmp_path / "p.db"), is_asked) == ["sure?", "yes"]
    assert ran == {"asks": 2}


def test_options_that_cannot_be_are_refused() -> None:
    """Where they are given, with their place; and a node that there is not."""
    with pytest.raises(perdure.UsageError, match="node 'goes': 'retry' is no option of a step"):
        durable(GRAPHS["outer"], nodes={"goes": {"retry": 3}})  # type: ignore[typeddict-unknown-key]
    with pytest.raises(
        perdure.UsageError, match="the graph has no node 'left'; it has model, right, inner, inner/left"
    ):
        durable(GRAPHS["outer"], nodes={"left": False})


async def test_outside_a_workflow_it_is_the_graph_that_it_was() -> None:
    """No database, no run."""
    state = await durable(GRAPHS["outer"]).ainvoke({"messages": [HumanMessage("hello")], "seen": []})
    assert "inline" in state["seen"]
