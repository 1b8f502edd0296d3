"""Random programs: a tree of constructs from a seed, printed as Python source that people can read.

A program is one workflow. Its result is a list of tags that does not depend on timing; what does depend on it, the
order of outcomes, is what it has `seen`.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

HEADER = """\
import asyncio
import contextlib
import contextvars

import perdure
from tests.generated.vocabulary import *

"""


@dataclass(frozen=True, slots=True)
class Node:
    """One construct of a program, with the bodies of its branches. `salt` decides its small choices."""

    kind: str
    salt: int
    parts: tuple[tuple[Node, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Construct:
    """A way to write something: `render` adds its statements, which add tags to `out`."""

    name: str
    render: Callable[[Writer, Node], None]
    worlds: frozenset[str]
    parts: tuple[int, int]
    """At least and at most so many branches with bodies of their own."""
    is_alone: bool
    """Only outside all branches, where nothing else goes on."""


CONSTRUCTS: dict[str, Construct] = {}
"""All of them, by name. Who wants fewer names them in `PERDURE_CONSTRUCTS`."""


def construct(
    *worlds: str, parts: tuple[int, int] = (0, 0), is_alone: bool = False
) -> Callable[[Callable[[Writer, Node], None]], Callable[[Writer, Node], None]]:
    """Add a construct. `worlds`: `async` and `sync` workflows, and `thread`, a branch in a thread of a sync one."""

    def add(render: Callable[[Writer, Node], None]) -> Callable[[Writer, Node], None]:
        name = render.__name__.rstrip("_")
        CONSTRUCTS[name] = Construct(name, render, frozenset(worlds), parts, is_alone)
        return render

    return add


@dataclass(slots=True)
class Writer:
    """Source under construction."""

    program: str
    world: str
    lines: list[str] = field(default_factory=list)
    depth: int = 0
    numbers: Counter[str] = field(default_factory=Counter)

    def add(self, text: str) -> None:
        """Some lines, as deep as the block is."""
        self.lines += ["    " * self.depth + line if line else "" for line in text.splitlines()]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """A line that ends in a colon, and what stands under it."""
        self.add(head)
        self.depth += 1
        yield
        self.depth -= 1

    def name(self, stem: str) -> str:
        """A name that nothing else has."""
        self.numbers[stem] += 1
        return f"{stem}_{self.numbers[stem]}"

    def tag(self) -> str:
        """What a step is told, quoted; no two calls of a program have the same."""
        self.numbers["tag"] += 1
        return f'"t{self.numbers["tag"]}"'

    def child_tag(self) -> str:
        """The same for a child: no two children of any programs have the same."""
        self.numbers["child"] += 1
        return f'"{self.program} c{self.numbers["child"]}"'

    def step(self) -> str:
        """The call of a plain step."""
        return f"await work({self.tag()})" if self.world == "async" else f"sync_work({self.tag()})"

    def take(self) -> str:
        """A statement that takes a step."""
        return f"out.append(seen({self.step()}))"

    def body(self, nodes: tuple[Node, ...]) -> None:
        """Statements; at least one step."""
        for node in nodes:
            CONSTRUCTS[node.kind].render(self, node)
        if not nodes:
            self.add(self.take())

    def branch(self, nodes: tuple[Node, ...], stem: str = "branch") -> str:
        """A function without parameters that gives the tags of its body; its name."""
        name, world = self.name(stem), self.world
        prefix = "async " if world == "async" else ""
        self.world = "async" if world == "async" else "thread"
        with self.block(f"{prefix}def {name}() -> list[str]:"):
            self.add("out = []")
            self.body(nodes)
            self.add("return out")
        self.world = world
        return name


@dataclass(frozen=True, slots=True)
class Program:
    """A program: its name is the module's, the workflow's and its run's."""

    seed: int
    world: str
    nodes: tuple[Node, ...]
    is_failing: bool = False
    """It ends with the error of a step."""
    copy: int = 0
    """Several of one program may live together."""

    @property
    def name(self) -> str:
        """How it is called everywhere."""
        return f"p{self.seed}" + (f"_{self.copy}" if self.copy else "")

    def source(self) -> str:
        """The module's text."""
        writer = Writer(self.name, self.world)
        writer.add(HEADER)
        writer.add("\n@perdure.workflow")
        prefix = "async " if self.world == "async" else ""
        with writer.block(f"{prefix}def {self.name}() -> list[str]:"):
            writer.add(f'seen = observe("{self.name}")')
            writer.add("out = []")
            writer.body(self.nodes)
            if self.is_failing:
                writer.add(f"await fail({writer.tag()})" if self.world == "async" else f"sync_fail({writer.tag()})")
            writer.add("return out")
        return "\n".join(writer.lines) + "\n"

    def kinds(self) -> set[str]:
        """The constructs in it."""
        return {node.kind for node in walk(self.nodes)}


def walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    """All nodes of a body."""
    for node in nodes:
        yield node
        for part in node.parts:
            yield from walk(part)


def generate(seed: int, allowed: frozenset[str] | None = None) -> Program:
    """The program of this seed; the same wherever it is made."""
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    world = chance.choices(["async", "sync"], [4, 1])[0]
    nodes = make_body(chance, world, 0, allowed)
    return Program(seed, world, nodes, is_failing=chance.random() < 0.08)


def make_body(chance: random.Random, world: str, depth: int, allowed: frozenset[str] | None) -> tuple[Node, ...]:
    """Some nodes: fewer, and seldom with branches, the deeper."""
    length = chance.choice([2, 3, 4, 5]) if depth == 0 else chance.choice([0, 1, 1, 2])
    return tuple(make_node(chance, world, depth, allowed) for _ in range(length))


def make_node(chance: random.Random, world: str, depth: int, allowed: frozenset[str] | None) -> Node:
    """One construct, with its branches."""
    possible = [
        one
        for one in CONSTRUCTS.values()
        if world in one.worlds
        and (allowed is None or one.name in allowed)
        and not (depth and one.is_alone)
        and not (depth > 1 and one.parts[1])
    ]
    chosen = chance.choices(possible, [3 if one.parts[1] else 2 for one in possible])[0]
    inner = "async" if world == "async" else "thread"
    width = chance.randint(*chosen.parts)
    parts = tuple(make_body(chance, inner, depth + 1, allowed) for _ in range(width))
    return Node(chosen.name, chance.getrandbits(16), parts)


def smaller(program: Program) -> Iterator[Program]:
    """Programs with a little less in them, the largest cuts first."""
    if program.is_failing:
        yield replace(program, is_failing=False)
    for nodes in smaller_bodies(program.nodes):
        yield replace(program, nodes=nodes)


def smaller_bodies(nodes: tuple[Node, ...]) -> Iterator[tuple[Node, ...]]:
    """Without one node; with one branch less or a smaller one in it; with a node's branches in the place of others."""
    for place in range(len(nodes)):
        yield nodes[:place] + nodes[place + 1 :]
    for place, node in enumerate(nodes):
        for made in smaller_nodes(node):
            yield (*nodes[:place], made, *nodes[place + 1 :])


def smaller_nodes(node: Node) -> Iterator[Node]:
    """The node with less in it."""
    least = CONSTRUCTS[node.kind].parts[0]
    for place, part in enumerate(node.parts):
        rest = (node.parts[:place], node.parts[place + 1 :])
        if len(node.parts) > least:
            yield replace(node, parts=rest[0] + rest[1])
        for body in smaller_bodies(part):
            yield replace(node, parts=(*rest[0], body, *rest[1]))
