"""`PerdureSaver`: the framework's own conformance suite on both stores, and threads that go on elsewhere."""

from __future__ import annotations

import operator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest

import perdure
from tests.stores.conftest import KINDS

pytest.importorskip("langgraph", reason="make agents")

from langgraph.channels import DeltaChannel
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.graph import START, StateGraph
from langgraph.types import Command, interrupt

from perdure.integrations.langgraph import PerdureSaver


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind."""
    if request.param == "sqlite":
        return str(tmp_path / "p.db")
    from tests.stores.postgres_server import server_of

    return server_of(request.config).emptied()


both = pytest.mark.parametrize("url", KINDS, indirect=True)


class State(TypedDict, total=False):
    """Of the graph."""

    said: Annotated[list[str], operator.add]


async def asks(state: State) -> dict[str, Any]:
    return {"said": [f"{interrupt('sure?')} after {len(state.get('said', []))}"]}


def graph(saver: Any) -> Any:
    """Asks a person."""
    builder = StateGraph(State)
    builder.add_node("asks", asks)
    builder.add_edge(START, "asks")
    return builder.compile(checkpointer=saver)


@both
async def test_it_passes_the_conformance_suite(url: str) -> None:
    """All that a checkpointer must do, and all that is optional."""

    @checkpointer_test(name="PerdureSaver")
    async def savers() -> Any:
        saver = PerdureSaver(url)
        for thread in {found.config["configurable"]["thread_id"] async for found in saver.alist(None)}:
            await saver.adelete_thread(thread)
        yield saver
        saver.close()

    report = await validate(savers)

    failures = {name: result.failures for name, result in report.results.items() if result.failures}
    assert report.passed_all(), failures
    assert not failures
    assert not [name for name, result in report.results.items() if not result.detected]


class Delta(TypedDict, total=False):
    """Of a graph whose checkpoints have only now and then what was said, and else what was added."""

    said: Annotated[list[str], DeltaChannel(lambda said, added: [*said, *(word for words in added for word in words)])]


def talking(saver: Any) -> Any:
    """Says more at every call."""
    builder = StateGraph(Delta)
    builder.add_node("says", lambda state: {"said": [f"{len(state['said'])}"]})
    builder.add_edge(START, "says")
    return builder.compile(checkpointer=saver)


async def count_checkpoints(saver: Any, config: Any) -> int:
    return len([found async for found in saver.alist(config)])


@both
async def test_what_a_delta_channel_is_made_of_outlives_pruning(url: str) -> None:
    """In the thread and in its copy; of other threads nothing goes."""
    saver = PerdureSaver(url)
    config, copied, other = ({"configurable": {"thread_id": name}} for name in ("delta", "copied", "one"))
    await graph(saver).ainvoke({"said": ["hello"]}, other)
    for word in ("a", "b"):
        state = await talking(saver).ainvoke({"said": [word]}, config)
    await saver.acopy_thread("delta", "copied")
    others = await count_checkpoints(saver, other)

    await saver.aprune(["delta", "copied"])
    saver.prune(["delta"], strategy="delete")

    assert state["said"] == ["a", "1", "b", "3"]
    assert (await talking(saver).aget_state(copied)).values == state
    assert (await talking(saver).ainvoke({"said": ["c"]}, copied))["said"] == [*state["said"], "c", "5"]
    assert await count_checkpoints(saver, config) == 0
    assert await count_checkpoints(saver, other) == others
    with pytest.raises(perdure.UsageError, match="strategy='oldest'"):
        saver.prune(["delta"], strategy="oldest")
    saver.close()


@both
async def test_pruning_leaves_one_checkpoint_and_what_it_is_made_of(url: str) -> None:
    """With which the thread goes on."""
    saver = PerdureSaver(url)
    config = {"configurable": {"thread_id": "pruned"}}
    await saver.adelete_thread("pruned")
    await graph(saver).ainvoke({"said": ["hello"]}, config)
    await graph(saver).ainvoke(Command(resume="yes"), config)
    stopped = await graph(saver).ainvoke({"said": ["again"]}, config)
    before = await count_checkpoints(saver, config)

    saver.prune(["pruned"])

    assert (before, await count_checkpoints(saver, config)) == (5, 1)
    assert len(saver._rows.select("all_values", thread_id="pruned")) <= len(stopped) + 3
    assert (await graph(saver).ainvoke(Command(resume="no"), config))["said"][-1] == "no after 3"
    saver.close()


@both
async def test_a_thread_goes_on_elsewhere(url: str) -> None:
    """What another saver has written is there, the question and its place too."""
    config = {"configurable": {"thread_id": "one"}}
    first, second = PerdureSaver(url), PerdureSaver(url)
    await first.adelete_thread("one")
    stopped = await graph(first).ainvoke({"said": ["hello"]}, config)
    first.close()
    state = await graph(second).ainvoke(Command(resume="yes"), config)
    assert stopped["__interrupt__"][0].value == "sure?"
    assert state["said"] == ["hello", "yes after 1"]
    assert graph(second).get_state(config).values == state
    second.close()


async def test_beside_perdure_in_one_file(tmp_path: Path) -> None:
    """The file of SQLite is Perdure's own."""
    path = str(tmp_path / "p.db")
    async with perdure.running(path):
        await graph(PerdureSaver(path)).ainvoke({"said": []}, {"configurable": {"thread_id": "one"}})
    assert PerdureSaver(path).get_tuple({"configurable": {"thread_id": "one"}}) is not None


@perdure.workflow
async def writes_in_a_workflow(path: str) -> None:
    await graph(PerdureSaver(path)).ainvoke({"said": []}, {"configurable": {"thread_id": "one"}})


async def test_it_is_refused_in_a_workflow(tmp_path: Path) -> None:
    """Which would write at every replay."""
    async with perdure.running(str(tmp_path / "p.db")):
        with pytest.raises(perdure.UsageError, match=r"durable\(graph\)"):
            await writes_in_a_workflow(str(tmp_path / "p.db"))
