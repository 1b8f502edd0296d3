"""At whatever request a process dies that writes to streams, no chunk is lost, and none is there twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from perdure._core.definitions import Definition
from perdure._core.flow import Attempt, Outcome, Request, Write
from perdure._core.flows.attempts import run_body
from perdure._core.flows.step import run_step
from perdure._core.flows.stream import close, streams_of, write
from perdure._core.lineage import Branch
from perdure._core.reading import Chunk, Reading
from perdure._core.run import Run
from perdure._core.step_call import StepCall
from perdure._core.streams import source_of_branch, source_of_step
from perdure._streams import StreamWritten
from perdure.stores.open import open_store
from tests.inside.dying import RUN_ID, SERIALIZER, Died, Life, World, begin, begin_again
from tests.stores.entries import W1, join, named_uuid

Program = Callable[["WritingLife", Branch], Generator[Request, Any, None]]
STEP = Definition(lambda tag: tag, "step", name="dying:writes")


class WritingLife(Life):
    """A life that can write, in its workflow and in bodies; of a body that dies the half may be there."""

    def answer(self, run: Run, request: Request) -> Any:
        if isinstance(request, Write):
            self.count()
            self.pending.append(request.entry)
            return None
        if isinstance(request, Attempt) and request.call.definition is STEP:
            self.count(request)
            self.write_in_body(request, 2)
            return Outcome(request.call.args[0])
        return super().answer(run, request)

    def count(self, request: Attempt | None = None) -> None:
        """As every request."""
        self.world.requests += 1
        if self.world.requests == self.dies_at:
            if request is not None:
                self.write_in_body(request, 1)
            if self.keeps_unsettled:
                self.commit()
            raise Died

    def write_in_body(self, request: Attempt, chunks: int) -> None:
        """What `write_in_step` does."""
        run, source = self.run, source_of_step(request.call.key)
        for number in range(chunks):
            streams_of(run).note(source)
            stored, _ = SERIALIZER.accept([request.call.args[0], number], what="a chunk")
            entry_id = run.next_entry_id()
            self.pending.append(
                StreamWritten(RUN_ID, run.claim, entry_id, "s", source, request.number, "json", [stored.text])
            )


def program(life: WritingLife, branch: Branch) -> Generator[Request, Any, None]:
    """Writes around two steps that write, and closes the stream."""
    run, source = life.run, source_of_branch(branch.path)
    for tag in ("one", "two"):
        yield from write(run, "s", source, f"before {tag}", is_instant=False)
        yield from write(run, "other", source, tag, is_instant=False)
        stored, args, kwargs = SERIALIZER.accept_arguments((tag,), {}, what="an argument")
        call = StepCall(run, STEP, branch.next_key(), args, kwargs, SERIALIZER.fingerprint(stored))
        assert (yield from run_step(call)) == tag
    yield from write(run, "s", source, "last", is_instant=False)
    yield from close(run, "s", source, is_instant=False)
    yield from life.step(branch.next_key(), "end")


def alone(life: WritingLife, branch: Branch) -> Generator[Request, Any, None]:
    """A step that is a run by itself, and writes."""
    outcome, _, _ = yield from run_body(StepCall(life.run, STEP, "", ("one",), {}, ""))
    assert outcome.value == "one"


def live(life: WritingLife, program: Program) -> None:
    """The only branch, to its end."""
    flow = program(life, Branch(life.run, is_async=True))
    try:
        request = next(flow)
        while True:
            assert life.may_go_on(request)
            request = flow.send(life.answer(life.run, request))
    except StopIteration:
        life.commit()


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a worker."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.close()
    return path


def values_of(world: World, name: str, offset: int = 0) -> list[Any]:
    """What a late reader gets."""
    reading = Reading(SERIALIZER, offset)
    [seen] = world.store.said.chunks([(RUN_ID, name, offset)])
    return [item.value for item in reading.items(seen) if isinstance(item, Chunk)]


WHOLE = ["before one", ["one", 0], ["one", 1], "before two", ["two", 0], ["two", 1], "last"]


def check_death(template: Path, path: Path, *, dies_at: int, keeps: bool, program: Program = program) -> bool:
    """A life that dies there, and one that goes on; whether it came to its death."""
    whole = [["one", 0], ["one", 1]] if program is alone else WHOLE
    shutil.copy(template, path)
    world = World(open_store(str(path)))
    first, second = named_uuid("first"), named_uuid("second")
    begin(world, first)
    has_died = False
    try:
        live(WritingLife(world, first, dies_at=dies_at, keeps_unsettled=keeps), program)
    except Died:
        has_died = True
        begun = values_of(world, "s")
        assert begun == whole[: len(begun)]
        begin_again(world, second, first)
        live(WritingLife(world, second, dies_at=0, keeps_unsettled=False), program)
    assert values_of(world, "s") == whole
    if program is not alone:
        assert values_of(world, "other") == ["one", "two"]
        known = [(known.name, known.is_closed) for known in world.store.said.streams(RUN_ID)]
        assert known == [("other", False), ("s", True)]
    world.store.close()
    return has_died


@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_streams_survive_a_death_at_every_request(keeps: bool, template: Path, tmp_path: Path) -> None:
    """Of the workflow's own chunks and those of steps, in the middle of their bodies too."""
    dies_at = 1
    while check_death(template, tmp_path / f"{dies_at}.db", dies_at=dies_at, keeps=keeps):
        dies_at += 1
    assert dies_at > 15


def test_so_does_that_of_a_step_that_is_a_run(template: Path, tmp_path: Path) -> None:
    """It records nothing else, and begins anew."""
    deaths = 0
    while check_death(template, tmp_path / f"{deaths}.db", dies_at=deaths + 1, keeps=True, program=alone):
        deaths += 1
    assert deaths == 2  # before its body is settled, and in it
