"""A host for flows that lets several branches take their steps in any wanted order and dies at any wanted request.

The flows, the run and the order are the real ones, the store is SQLite; only waiting is played: a branch that must
wait is simply not chosen. What was handed to the journal and not settled may be lost at death, or not: both are tried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

from perdure._core.children import Children
from perdure._core.definitions import Definition
from perdure._core.flow import (
    Attempt,
    Begin,
    CatchUp,
    Chance,
    Flow,
    GiveBack,
    LogTurn,
    Now,
    Outcome,
    Record,
    Request,
    Settle,
    StayOpen,
    Turn,
)
from perdure._core.flows.step import run_step
from perdure._core.lineage import Branch
from perdure._core.run import Run
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._core.step_call import StepCall
from perdure._entries import Accepted, Entry, RunCreated, RunReleased, StepRecorded, Stored
from perdure.errors import RunInterrupted
from perdure.stores.protocol import ClaimRequest, Store
from tests.stores.entries import W1

SERIALIZER = Serializer(TypeRegistry())
NAME = "dying:program"
RUN_ID = "r"


class Died(Exception):  # noqa: N818  # not a mistake of anybody
    """The process is gone."""


@dataclass(slots=True)
class World:
    """What outlives the process: the database, and what the bodies did outside."""

    store: Store
    bodies: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    """How many requests were answered in the last life."""


def body(tag: str) -> str:
    """The body of every step; what it does is counted by the host."""
    return tag.upper()


STEP = Definition(body, "step", name="dying:body")


class Life:
    """One claim of the run. Dies when it is asked for the `dies_at`-th time; 0 lives on."""

    def __init__(self, world: World, claim: str, *, dies_at: int, keeps_unsettled: bool, run_id: str = RUN_ID) -> None:
        self.world = world
        self.dies_at = dies_at
        self.keeps_unsettled = keeps_unsettled
        self.pending: list[Entry] = []
        self.seen: list[str] = []
        self.reacting: str | None = None
        self.run = Run(
            run_id, claim, kind="workflow", name=NAME, queue="", attempts=1, parent_id=None, serializer=SERIALIZER
        )
        self.run.children = Children()
        self.run.host = self
        self.run.is_concurrent = True
        self.run.recall(world.store.runs.histories([run_id])[0])
        world.requests = 0

    def interrupt(self, run: Run) -> None:
        """Nobody waits here."""

    def park_for_mend(self, run: Run, reason: str, *, may_be_load: str | None = None) -> None:
        """No program of these tests may differ."""
        raise AssertionError(reason)

    def may_go_on(self, request: Request) -> bool:
        """Whether the request can be answered now."""
        if isinstance(request, CatchUp):
            return not self.run.is_behind
        return not isinstance(request, Turn) or (self.run.order.is_due(request.key) and self.reacting is None)

    def answer(self, run: Run, request: Request) -> Any:
        """Answer, or die."""
        self.world.requests += 1
        if self.world.requests == self.dies_at:
            self.lose()
            raise Died
        match request:
            case Settle():
                self.commit()
            case Attempt():
                self.world.bodies[request.call.key] += 1
                return Outcome(request.call.definition.function(*request.call.args))
            case Record():
                self.pending.append(request.entry)
            case LogTurn():
                self.pending.append(self.log(request))
            case Turn():
                return run.order.advance(request.key)
            case GiveBack():
                run.order.give_back(request.position)
            case Now() | Chance() | Begin():
                return 0.5
            case StayOpen() | CatchUp():
                return None
            case _:
                raise AssertionError(f"no program of these tests asks for {request}")
        return None

    def lose(self) -> None:
        """It dies: what waits in the journal is committed, or lost."""
        if self.keeps_unsettled:
            self.commit()

    def log(self, request: LogTurn) -> StepRecorded:
        """A row of the order log."""
        outcome = SERIALIZER.accept([request.position, request.key], what="the order log")[0]
        key = f"#{request.position}"
        return StepRecorded(self.run.run_id, self.run.claim, key, key, "order", "order", "-", False, outcome)

    def commit(self) -> None:
        """What waits in the journal is durable."""
        if self.pending:
            verdicts = self.world.store.apply(W1, self.pending)
            assert all(isinstance(verdict, Accepted) for verdict in verdicts)
        self.pending = []

    def steps(self, branch: Branch, name: str, length: int) -> Generator[Request, Any, None]:
        """A branch: steps, each told what the whole run has seen before."""
        for number in range(length):
            key = branch.next_key()
            label = f"{name}{number}"
            yield from self.step(key, label)
            self.seen.append(label)
            yield from self.step(branch.next_key(), ",".join(self.seen))
            self.seen.append(f"{label} told")

    def step(self, key: str, argument: str) -> Flow[None]:
        """One step of a branch; it has reacted to its outcome once it asks for something again."""
        stored, args, kwargs = SERIALIZER.accept_arguments((argument,), {}, what="an argument")
        value = yield from run_step(StepCall(self.run, STEP, key, args, kwargs, SERIALIZER.fingerprint(stored)))
        assert value == argument.upper()


def begin(world: World, claim: str) -> None:
    """Make the run, held."""
    entry = RunCreated(RUN_ID, "workflow", NAME, "f", Stored("json", "[]"), "created", held_as=claim)
    world.store.apply(W1, [entry])


def begin_again(world: World, claim: str, dead: str) -> None:
    """The dead process's run is put back and claimed by the next."""
    world.store.apply(W1, [RunReleased(RUN_ID, dead)])
    assert len(world.store.claim(W1, ClaimRequest({"": 1}, [NAME]), [claim]).runs) == 1


def live(life: Life, choices: list[int], *, width: int, length: int) -> list[int]:
    """Let the branches go on in the order of `choices` (then always the first that can); how many there were to choose
    from each time.
    """
    root = Branch(life.run, is_async=True)
    flows = {name: life.steps(root.fork("branch", is_async=True), name, length) for name in "abcdefgh"[:width]}
    asked: dict[str, Request] = {}
    for name, flow in flows.items():
        asked[name] = next(flow)
    options: list[int] = []
    while asked:
        able = [name for name, request in asked.items() if life.may_go_on(request)]
        assert able, f"nobody can go on: {asked}, next is {life.run.order.awaited_key}"
        choice = choices[len(options)] if len(options) < len(choices) else 0
        name = able[min(choice, len(able) - 1)]
        options.append(len(able))
        advance(life, name, flows, asked)
    life.commit()
    return options


def advance(life: Life, name: str, flows: dict[str, Generator[Request, Any, None]], asked: dict[str, Request]) -> None:
    """Answer the branch; a delivery goes on until the branch has reacted to it."""
    while True:
        request = asked[name]
        is_delivery = isinstance(request, Turn)
        try:
            asked[name] = flows[name].send(life.answer(life.run, request))
        except StopIteration:
            del asked[name]
            return
        except RunInterrupted as error:
            raise AssertionError(str(error)) from error
        if not is_delivery and not isinstance(request, Record):
            return
        if isinstance(asked[name], Turn):
            return
