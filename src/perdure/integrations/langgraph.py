"""LangGraph: `durable(graph)` makes each node a step; `PerdureSaver` keeps checkpoints in Perdure's database.

The first is for a graph that a workflow runs, and needs no checkpoints to survive a crash. The second is for a graph
that runs by itself, with threads, resuming and time travel. Needs langgraph 1.2.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Literal

from ._needs import needs

with needs("LangGraph", "langgraph"):
    from langchain_core.runnables import Runnable
    from langgraph.checkpoint.memory import InMemorySaver
    from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
    from langgraph.errors import GraphInterrupt, ParentCommand
    from langgraph.pregel import Pregel

from .. import Stream, UsageError, call
from ._langgraph_answers import Answers
from ._langgraph_saver import PerdureSaver
from ._langgraph_tokens import heard
from ._step_options import StepOptions, step_options

__all__ = ["PerdureSaver", "StepOptions", "durable"]

CONTROL: dict[str, Callable[..., BaseException]] = {
    "interrupt": lambda *args: GraphInterrupt(*args),
    "parent": lambda *args: ParentCommand(*args),
}
"""What a node raises to tell the graph something: recorded as an answer, and raised again."""


def durable(
    graph: Any,
    *,
    nodes: Mapping[str, StepOptions | Literal[False]] | None = None,
    node_options: StepOptions | None = None,
    serde: Any = None,
    stream: str | None = None,
) -> Any:
    """A copy of the compiled graph in which each node is a step `langgraph.node:NAME`, where a workflow runs it with
    `await durable(graph).ainvoke(...)`. Of a node that is a graph the nodes are steps, `langgraph.node:NAME/INNER`.

    `nodes` are options by the name of a node, with False for one that shall be no step and so may call steps itself;
    `node_options` are those of all others. `serde` writes what nodes return, by default the framework's own. Where the
    graph has a checkpointer the copy has one in memory, for itself alone: make the copy in the workflow, and a replay
    fills it again. `stream`: the key of the run's stream to which the tokens of the models in the nodes are written
    while they arrive, as `{"node": NAME, "token": ...}`. Raises `UsageError` for options that cannot be, and for a name
    that no node has.
    """
    own = {
        name: given if given is False else step_options(given, f"node {name!r}")
        for name, given in (nodes or {}).items()
    }
    unknown = [name for name in own if name not in names_of(graph)]
    if unknown:
        raise UsageError(f"durable(): the graph has no node {unknown[0]!r}; it has {', '.join(names_of(graph))}")
    chosen = serde or getattr(graph.checkpointer, "serde", None) or JsonPlusSerializer()
    out = None if stream is None else Stream(stream)
    return Copies(own, step_options(node_options, "node_options"), chosen, out).graph(graph, "")


def names_of(graph: Any, path: str = "") -> list[str]:
    """The names of the graph's nodes, and of those of the graphs that are its nodes."""
    found = []
    for name, node in graph.nodes.items():
        if name != "__start__":
            found += [path + name]
            found += names_of(node.bound, f"{path}{name}/") if isinstance(node.bound, Pregel) else []
    return found


class Copies:
    """Makes the copy of a graph, and of the graphs in it."""

    def __init__(
        self, own: Mapping[str, StepOptions | Literal[False]], options: StepOptions, serde: Any, out: Stream | None
    ) -> None:
        self._own = own
        self._out = out
        self._options = options
        self._serde = serde
        self._answers = Answers()

    def graph(self, graph: Any, path: str) -> Any:
        """The copy, whose nodes are known below this path."""
        made = copy.copy(graph)
        made.nodes = {name: self._node(node, path + name) for name, node in graph.nodes.items()}
        if graph.checkpointer not in (None, True, False):
            made.checkpointer = InMemorySaver(serde=self._serde)
        return made

    def _node(self, node: Any, name: str) -> Any:
        options = self._own.get(name, self._options)
        if isinstance(node.bound, Pregel):
            return node.copy({"bound": self.graph(node.bound, f"{name}/")})
        if name.endswith("__start__") or options is False:
            return node
        return node.copy({"bound": DurableNode(node.bound, name, options, self._serde, self._answers, self._out)})


class DurableNode(Runnable):
    """What a node does, as a step: recorded is what came of it, and how many answers to its interrupts it has taken."""

    def __init__(
        self, bound: Any, name: str, options: StepOptions, serde: Any, answers: Answers, out: Stream | None
    ) -> None:
        self._bound = bound
        self.name = name
        self._options = options
        self._serde = serde
        self._answers = answers
        self._out = out

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """The node's update, recorded or made. Of a graph that runs nodes beside each other only `ainvoke` works."""
        ran: list[int] = []
        self._answers.hand_over(config)

        def body() -> Any:
            ran.append(1)
            try:
                with self._answers.attempt(heard(config, self._out, self.name)) as given:
                    value = self._bound.invoke(input, given, **kwargs)
            except (GraphInterrupt, ParentCommand) as told:
                return self._told(told, config)
            return self._written("value", value, config)

        return self._read(call(f"langgraph.node:{self.name}", body, **self._options), config, is_new=bool(ran))

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        """The node's update, recorded or made."""
        ran: list[int] = []
        self._answers.hand_over(config)

        async def body() -> Any:
            ran.append(1)
            try:
                with self._answers.attempt(heard(config, self._out, self.name)) as given:
                    value = await self._bound.ainvoke(input, given, **kwargs)
            except (GraphInterrupt, ParentCommand) as told:
                return self._told(told, config)
            return self._written("value", value, config)

        recorded = await call(f"langgraph.node:{self.name}", body, **self._options)
        return self._read(recorded, config, is_new=bool(ran))

    def _written(self, kind: str, value: Any, config: Any) -> list[Any]:
        taken = self._answers.taken(config)
        return [kind, *self._serde.dumps_typed(value), *([taken] if taken else [])]

    def _told(self, told: BaseException, config: Any) -> list[Any]:
        return self._written("parent" if isinstance(told, ParentCommand) else "interrupt", list(told.args), config)

    def _read(self, recorded: list[Any], config: Any, *, is_new: bool) -> Any:
        kind, *written = recorded
        value = self._serde.loads_typed(tuple(written[:2]))
        if not is_new:
            self._answers.take_again(config, written[2] if len(written) > 2 else 0)
            self._answers.remember(config, value[0] if kind == "interrupt" else ())
        if kind in CONTROL:
            raise CONTROL[kind](*value)
        return value
