"""At whatever request a process dies whose pure steps give something else each time: whatever was seen of the run
agrees with what is recorded in the end.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from perdure._core.definitions import Definition
from perdure._core.flow import Attempt, Flow, Outcome, Request, Send, Settle, StartChild
from perdure._core.flows.child import start_child
from perdure._core.flows.event import set_event
from perdure._core.flows.send import message_id, send
from perdure._core.flows.step import run_step
from perdure._core.lineage import Branch
from perdure._core.run import Run
from perdure._core.step_call import StepCall
from perdure._entries import Entry, MessageSent, RunCreated
from perdure.stores.open import open_store
from tests.inside.dying import RUN_ID, SERIALIZER, Died, Life, World, advance, begin, begin_again
from tests.stores.entries import W1, arrived, created, join, named_uuid

PEER = "peer"


def drawn(given: str) -> str:
    """Its host draws what it gives."""
    return given


PURE = Definition(drawn, "step", name="dying:pure")
PURE.is_pure = True
EFFECT = Definition(drawn, "step", name="dying:effect")


@dataclass(slots=True)
class Seen(World):
    """And what bodies have done outside, from their beginning on."""

    effects: list[str] = field(default_factory=list)
    numbers: Any = field(default_factory=lambda: itertools.count(1))


class PureLife(Life):
    """Dies with so many of the entries that wait committed: those of one lane are a beginning of what was handed in."""

    world: Seen

    def __init__(self, world: Seen, claim: str, *, dies_at: int, keeps: int) -> None:
        super().__init__(world, claim, dies_at=dies_at, keeps_unsettled=True)
        self.keeps = keeps
        self.has_all = False
        """Whether there were no more of them at its death."""

    def lose(self, sent: list[Entry] | None = None) -> None:
        waiting = [*self.pending, *(sent or [])]
        self.has_all = self.keeps >= len(waiting)
        self.pending = waiting[: self.keeps]
        self.commit()

    def answer(self, run: Run, request: Request) -> Any:
        if isinstance(request, Send):
            self.die_in_time(list(request.entries))
            self.commit()
            return self.world.store.apply(W1, request.entries)
        if isinstance(request, StartChild):
            self.die_in_time()
            self.pending.append(request.entry)
            return None
        if not isinstance(request, Attempt):
            return super().answer(run, request)
        self.die_in_time()
        if request.call.definition is PURE:
            return Outcome(f"{request.call.key}={next(self.world.numbers)}")
        self.world.effects.append(request.call.args[0])
        return Outcome("done")

    def die_in_time(self, sent: list[Entry] | None = None) -> None:
        """As every request."""
        self.world.requests += 1
        if self.world.requests == self.dies_at:
            self.lose(sent)
            raise Died

    def call(self, definition: Definition, branch: Branch, argument: str) -> Flow[str]:
        """One step."""
        stored, args, kwargs = SERIALIZER.accept_arguments((argument,), {}, what="an argument")
        fingerprint = SERIALIZER.fingerprint(stored)
        return run_step(StepCall(self.run, definition, branch.next_key(), args, kwargs, fingerprint))

    def say(self, branch: Branch, told: str) -> Flow[None]:
        """An event, a message and a child."""
        yield from set_event(self.run, branch.next_key(), f"event {branch.path}", told, is_instant=True)
        key, stored = branch.next_key(), SERIALIZER.accept(told, what="m")[0]
        message = MessageSent(PEER, self.run.claim, message_id("call", RUN_ID, key), "a", stored)
        yield from send(self.run, key, [message], stored)
        key, args = branch.next_key(), SERIALIZER.accept([told], what="c")[0]
        print_of = SERIALIZER.fingerprint(args)
        child = RunCreated(
            f"child {key}", "workflow", "dying:child", print_of, args, key, parent_id=RUN_ID, parent_key=key,
            claim=self.run.claim,
        )  # fmt: skip
        yield from start_child(self.run, child)

    def steps(self, branch: Branch, name: str, length: int) -> Generator[Request, Any, None]:
        """Chains of pure steps, each of what the whole run has seen, and what is seen of it in between."""
        for number in range(length):
            for _ in range(2):
                self.seen.append((yield from self.call(PURE, branch, ",".join(self.seen))))
            yield from self.call(EFFECT, branch, ",".join(self.seen))
            self.seen.append((yield from self.call(PURE, branch, f"{name}{number}")))
            yield from self.say(branch, ",".join(self.seen))
        self.seen.append((yield from self.call(PURE, branch, f"{name} ends")))


class Shape(NamedTuple):
    """So many branches, of such a length, that go on in this order, again and again."""

    width: int
    length: int
    choices: list[int]


def live(life: PureLife, shape: Shape) -> str:
    """All branches, in turns; the run's end."""
    width, length, choices = shape
    root = Branch(life.run, is_async=True)
    life.run.is_concurrent = width > 1
    branches = [root.fork("branch", is_async=True) for _ in range(width)] if width > 1 else [root]
    flows = {name: life.steps(branch, name, length) for name, branch in zip("abc", branches, strict=False)}
    asked = {name: next(flow) for name, flow in flows.items()}
    for turn in itertools.count():
        able = [name for name, request in asked.items() if life.may_go_on(request)]
        if not able:
            assert not asked
            break
        advance(life, able[choices[turn % len(choices)] % len(able)], flows, asked)
    told = ",".join(life.seen)
    life.pending.append(life.run.finished("succeeded", SERIALIZER.accept(told, what="the end")[0]))
    life.answer(life.run, Settle())
    return told


def seen_outside(world: Seen) -> list[str]:
    """Everything of the run that anybody has seen."""
    store = world.store
    messages = [SERIALIZER.load(one.value) for one in arrived(store, PEER, "a")]
    events = [SERIALIZER.load(row.outcome) for row in store.runs.checkpoints(RUN_ID) if row.kind == "event"]
    children = [one for _, one in store.runs.unfinished(0, 100) if one.name == "dying:child"]
    inputs = [SERIALIZER.load(child.input)[0] for child in children]
    return [*world.effects, *messages, *events, *inputs]


def check_death(template: Path, path: Path, shape: Shape, *, dies_at: int, keeps: int) -> PureLife:
    """A life that dies there, and one that goes on."""
    shutil.copy(template, path)
    with closing(open_store(str(path))) as store:
        world = Seen(store)
        first, second = named_uuid("first"), named_uuid("second")
        begin(world, first)
        life = PureLife(world, first, dies_at=dies_at, keeps=keeps)
        try:
            told = live(life, shape)
            life.dies_at = -1
        except Died:
            told = ",".join(life.seen)
            if store.runs.row(RUN_ID).state == "held":  # type: ignore[union-attr]  # it is there
                begin_again(world, second, first)
                told = live(PureLife(world, second, dies_at=0, keeps=0), shape)
        recorded = {SERIALIZER.load(row.outcome) for row in store.runs.checkpoints(RUN_ID) if row.name == PURE.name}
        for text in (told, *seen_outside(world)):
            assert set(text.split(",")) <= recorded, f"{text} was seen, and recorded is {recorded}"
        assert len(set(told.split(","))) == len(recorded) == (3 * shape.length + 1) * shape.width
    path.unlink()
    return life


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a worker and a run to send to."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.apply(W1, [created(PEER, queue="nobody's")])
    store.close()
    return path


def check_all_deaths(template: Path, path: Path, shape: Shape) -> int:
    """At every request, with every beginning of what waits; how many there were."""
    deaths = 0
    for dies_at in itertools.count(1):
        for keeps in itertools.count():
            life = check_death(template, path, shape, dies_at=dies_at, keeps=keeps)
            if life.dies_at < 0:
                return deaths
            deaths += 1
            if life.has_all:
                break
    return deaths


def test_what_was_seen_agrees_with_what_is_recorded(template: Path, tmp_path: Path) -> None:
    """Of one branch."""
    assert check_all_deaths(template, tmp_path / "world.db", Shape(1, 1, [0])) > 30


@pytest.mark.long
@pytest.mark.parametrize("shape", [Shape(1, 2, [0]), Shape(2, 1, [0, 1]), Shape(2, 1, [0, 0, 1, 0, 1, 1])], ids=str)
def test_branches_agree_with_what_is_recorded(template: Path, tmp_path: Path, shape: Shape) -> None:
    """Of two branches, too, that tell each other through memory what they have seen."""
    assert check_all_deaths(template, tmp_path / "world.db", shape) > 60


def test_a_step_with_effects_that_is_called_pure_would_be_found(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body begins before what it was told is recorded, and the check fails."""
    monkeypatch.setattr(EFFECT, "is_pure", True)
    with pytest.raises(AssertionError, match="was seen"):
        check_all_deaths(template, tmp_path / "world.db", Shape(1, 1, [0]))
