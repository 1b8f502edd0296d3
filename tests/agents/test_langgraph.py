"""LangGraph: each node a step, under which name, and what is not repeated on replay."""

from __future__ import annotations

import asyncio
import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

import perdure
from tests.agents.replays import Reader, hold, live_twice, ran, resolve_when_open, step_names

pytest.importorskip("langgraph", reason="make agents")

from langchain_core.language_models import GenericFakeChatModel
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


def asks_twice(name: str) -> Any:
    """A node that asks two things, one after the other."""

    async def asks(state: State) -> dict[str, Any]:
        ran[name] += 1
        return {"seen": [f"{name}: {interrupt(f'{name}, first?')}, {interrupt(f'{name}, second?')}"]}

    return asks


def asking_all() -> Any:
    """Three nodes beside each other that ask, one of them in a graph of its own."""
    inside = StateGraph(State)
    inside.add_node("deep", asks_twice("deep"))
    inside.add_edge(START, "deep")
    builder = StateGraph(State)
    builder.add_node("b", asks_twice("b"))
    builder.add_node("a", asks_twice("a"))
    builder.add_node("inside", inside.compile())
    for name in ("b", "a", "inside"):
        builder.add_edge(START, name)
    return builder.compile(checkpointer=InMemorySaver())


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


GRAPHS = {"outer": outer(), "asking": asking(), "asking all": asking_all()}


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


asked: list[str] = []


@perdure.step
async def tell_people(question: str, interrupt_id: str) -> None:
    """Is compared with its record, so that an interrupt's id must be the same in each life."""
    asked.append(question)


@perdure.workflow
async def all_are_asked(at_hold: int) -> list[str]:
    """Each by a hook of its own, known by its question. In the first life it holds after so many rounds."""
    graph = durable(GRAPHS["asking all"])
    config = {"configurable": {"thread_id": "one"}}
    state, rounds = await graph.ainvoke({"seen": []}, config), 0
    while interrupts := state.get("__interrupt__"):
        hooks = {found.id: perdure.hook(str, token=found.value) for found in interrupts}
        for found in interrupts:
            await tell_people(found.value, found.id)
        if rounds == at_hold:
            await hold()
        answers = {interrupt_id: await hook for interrupt_id, hook in hooks.items()}
        state, rounds = await graph.ainvoke(Command(resume=answers), config), rounds + 1
    if rounds <= at_hold:
        await hold()
    return sorted(state["seen"])


async def answer_all(questions: list[str]) -> None:
    """In this order."""
    for question in questions:
        await resolve_when_open(question, f"{question[:-1]}!")


@pytest.mark.parametrize("at_hold", [0, 1, 2])
@pytest.mark.parametrize("order", [1, -1])
async def test_several_ask_at_once_and_are_answered_in_any_order(tmp_path: Path, at_hold: int, order: int) -> None:
    """Each gets its own answer, wherever the run was cut off: before any, between the two of each, after all."""
    asked.clear()
    questions = [f"{name}, {which}?" for which in ("first", "second") for name in ("a", "b", "deep")]
    answering = asyncio.create_task(answer_all(questions[:3][::order] + questions[3:][::order]))
    said = await live_twice(str(tmp_path / "p.db"), all_are_asked, at_hold)
    await answering
    assert said == [f"{name}: {name}, first!, {name}, second!" for name in ("a", "b", "deep")]
    assert ran == {"a": 3, "b": 3, "deep": 3}
    assert sorted(asked) == sorted(questions)


@perdure.workflow
async def asks_and_goes_on() -> list[str]:
    """One node, answered without ids."""
    builder = StateGraph(State)
    builder.add_node("alone", asks_twice("alone"))
    builder.add_edge(START, "alone")
    graph, config = durable(builder.compile(checkpointer=InMemorySaver())), {"configurable": {"thread_id": "one"}}
    await graph.ainvoke({"seen": []}, config)
    await graph.ainvoke(Command(resume="yes"), config)
    await hold()
    state: dict[str, list[str]] = await graph.ainvoke(Command(resume="no"), config)
    return state["seen"]


async def test_a_node_keeps_its_first_answer_for_its_second_question(tmp_path: Path) -> None:
    """Which is asked in another life."""
    assert await live_twice(str(tmp_path / "p.db"), asks_and_goes_on) == ["alone: yes, no"]
    assert ran == {"alone": 3}


def unsteady() -> Any:
    """A node that asks, and whose first attempt after the answer fails."""

    async def asks(state: State) -> dict[str, Any]:
        answer = interrupt("sure?")
        ran["asked"] += 1
        if ran["asked"] == 1:
            raise ConnectionError("again")
        return {"seen": [answer]}

    builder = StateGraph(State)
    builder.add_node("asks", asks)
    builder.add_edge(START, "asks")
    return builder.compile(checkpointer=InMemorySaver())


@perdure.workflow
async def asks_unsteadily() -> list[str]:
    retried: Any = {"retries": perdure.Retry(attempts=2, initial_seconds=0.001)}
    graph = durable(unsteady(), node_options=retried)
    config = {"configurable": {"thread_id": "one"}}
    await graph.ainvoke({"seen": []}, config)
    state: dict[str, list[str]] = await graph.ainvoke(Command(resume="yes"), config)
    await hold()
    return state["seen"]


async def test_a_node_that_is_tried_again_has_its_answer(tmp_path: Path) -> None:
    """It is not asked for once more."""
    assert await live_twice(str(tmp_path / "p.db"), asks_unsteadily) == ["yes"]


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


READER = Reader()


async def speaks(state: State) -> dict[str, Any]:
    """Says two words, the second when somebody has read the first; the first time it breaks then."""
    ran["speaks"] += 1
    said = ""
    async for chunk in GenericFakeChatModel(messages=iter([AIMessage("in pieces")])).astream("go"):
        said += str(chunk.content)
        await READER.has_read.wait()
        if ran["speaks"] == 1:
            raise ConnectionError("cut off")
    return {"seen": [said]}


def speaks_in_a_thread(state: State) -> dict[str, Any]:
    """Sync."""
    model = GenericFakeChatModel(messages=iter([AIMessage("and more")]))
    return {"seen": ["".join(str(chunk.content) for chunk in model.stream("go"))]}


@perdure.workflow
async def streams() -> list[str]:
    builder = StateGraph(State)
    builder.add_node("speaks", speaks)
    builder.add_node("thread", speaks_in_a_thread)
    builder.add_edge(START, "speaks")
    builder.add_edge("speaks", "thread")
    again: Any = {"retries": perdure.Retry(attempts=2, initial_seconds=0.001)}
    state = await durable(builder.compile(), stream="tokens", node_options=again).ainvoke({"seen": []})
    await perdure.sleep(0.1)
    return list(state["seen"])


async def test_a_stream_is_read_while_a_model_answers(tmp_path: Path) -> None:
    """Outside the run. What an attempt had said that was made again is void; a replay writes nothing again."""
    live, again, seen = await READER.read(str(tmp_path / "p.db"), streams)
    assert seen == ["in pieces", "and more"]
    assert "".join(said["token"] for said in live if said["node"] == "speaks") == "in pieces"
    assert "".join(said["token"] for said in live if said["node"] == "thread") == "and more"
    assert len(live) > 2
    assert again == live
    assert ran == {"speaks": 2, "rewound": 1}
