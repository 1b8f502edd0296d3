"""At whatever request a process dies, or its run is paused, restarted or forked, the next life goes on rightly."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure._core.definitions import Definition
from perdure._core.flow import Attempt, AwaitTime, Flow, NoteRetry, Outcome, Pause, Request, Settle
from perdure._core.flows.step import run_step
from perdure._core.lineage import Branch
from perdure._core.run import Run
from perdure._core.step_call import StepCall
from perdure._engine.steering import Steers
from perdure._entries import RunFinished, RunParked, RunReleased
from perdure._steering import By
from perdure.errors import RunInterrupted
from perdure.stores.open import open_store
from perdure.stores.protocol import ClaimRequest, Store
from tests.inside.dying import NAME, RUN_ID, SERIALIZER, Died, Life, World, begin, body, live
from tests.stores.entries import W1, fresh_claims, join

ME = By("somebody")
FORK_ID = "f"
WIDTH = 2
STEPS = 2 * WIDTH
EVERY = pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
"""At each so many request; at each in `make test-long`."""


class Nobody:
    """Tells nobody: the tests look by themselves."""

    def paused(self, run_ids: Sequence[str]) -> None:
        pass

    def ready(self, run_ids: Sequence[str]) -> None:
        pass

    def elsewhere(self, run_ids: Iterable[str]) -> None:
        pass

    def deleted(self, run_ids: Sequence[str]) -> None:
        pass


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a worker, to be copied: a test needs hundreds."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.close()
    return path


@pytest.fixture
def worlds(template: Path, tmp_path: Path) -> Iterator[Iterator[World]]:
    """One after the other, each with a run that is held."""

    def made() -> Iterator[World]:
        number = 0
        while True:
            number += 1
            path = tmp_path / f"{number}.db"
            shutil.copy(template, path)
            world = World(open_store(str(path)))
            try:
                yield world
            finally:
                world.store.close()

    one_by_one = made()
    yield one_by_one
    one_by_one.close()


def begun(
    worlds: Iterator[World], dies_at: int, *, keeps: bool, choices: Sequence[int] = ()
) -> tuple[World, Life, bool]:
    """A world whose run was executed until its process died there; false where it had ended before."""
    world, [claim] = next(worlds), fresh_claims(1)
    begin(world, claim)
    life = Life(world, claim, dies_at=dies_at, keeps_unsettled=keeps)
    try:
        live(life, [*choices], width=WIDTH, length=1)
    except Died:
        return world, life, True
    return world, life, False


def claimed(store: Store) -> list[str]:
    """The runs that can be claimed, under fresh claims: `run claim`."""
    while store.hear(W1, ()).has_read:
        pass
    runs = store.claim(W1, ClaimRequest({"": 9}, [NAME]), fresh_claims(9)).runs
    return [f"{run.run_id} {run.claim}" for run in runs]


def recorded(store: Store, run_id: str = RUN_ID) -> set[str]:
    """The keys of the steps that it has recorded."""
    return {row.key for row in store.runs.checkpoints(run_id) if row.kind == "step"}


def goes_on(world: World, run_id: str, *, dies_at: int = 0) -> Counter[str]:
    """Claim the run and execute it to its end, with one more death on the way; how often each body ran."""
    world.bodies.clear()
    for at in (dies_at, 0) if dies_at else (0,):
        [claim] = [one.split()[1] for one in claimed(world.store) if one.split()[0] == run_id]
        life = Life(world, claim, dies_at=at, keeps_unsettled=False, run_id=run_id)
        try:
            live(life, [1] * 40, width=WIDTH, length=1)
        except Died:
            world.store.apply(W1, [RunReleased(run_id, claim)])
    assert len(recorded(world.store, run_id)) == STEPS
    world.store.apply(W1, [RunFinished(run_id, claim, "succeeded", None)])
    return Counter(world.bodies)


def steers(world: World) -> Steers:
    """Steers its runs."""
    return Steers(world.store, SERIALIZER, Nobody())


@EVERY
@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_a_run_is_paused_at_every_request(keeps: bool, every: int, worlds: Iterator[World]) -> None:
    """Whether its worker parks it or dies before that: it rests until it is resumed, and repeats nothing recorded."""
    for parks in (True, False):
        at = 1
        while True:
            world, life, has_died = begun(worlds, at, keeps=keeps, choices=[0, 1] * 20)
            if not has_died:
                break
            assert steers(world).pause([RUN_ID], ME) == [RUN_ID]
            if parks:
                life.commit()
                world.store.apply(W1, [RunParked(RUN_ID, life.run.claim, stopped="paused")])
            else:
                world.store.apply(W1, [RunReleased(RUN_ID, life.run.claim)])
            before = recorded(world.store)
            assert claimed(world.store) == []
            assert steers(world).resume([RUN_ID], ME) == [RUN_ID]
            bodies = goes_on(world, RUN_ID, dies_at=1 + at % 7)
            assert not before & bodies.keys(), "a recorded step ran again"
            at += every
        assert at > 10


@EVERY
@pytest.mark.parametrize("choices", [[], pytest.param([0, 1] * 20, marks=pytest.mark.long)], ids=["in turn", "crossed"])
@pytest.mark.parametrize("what", ["restart", "fork"])
def test_a_run_is_cut_after_every_death(what: str, choices: list[int], every: int, worlds: Iterator[World]) -> None:
    """From each of its records, and from the beginning: what stays is not done again, what goes is, and no more."""
    at = 1
    while True:
        keys, place = [None], 0
        while place < len(keys):
            world, life, has_died = begun(worlds, at, keeps=True, choices=choices)
            keys = [None, *sorted(recorded(world.store))]
            key = keys[place]
            if what == "fork" and place % 2:  # of a run that is held
                steers(world).fork(RUN_ID, FORK_ID, key, ME)
                world.store.apply(W1, [RunReleased(RUN_ID, life.run.claim)])
            else:
                world.store.apply(W1, [RunReleased(RUN_ID, life.run.claim)])
                cut(world, what, key)
            check_cut(world, FORK_ID if what == "fork" else RUN_ID, key, dies_at=1 + (at + place) % 5)
            place += 1
        if not has_died:
            break
        at += every
    assert at > 10


def cut(world: World, what: str, key: str | None) -> None:
    """Do it."""
    if what == "fork":
        steers(world).fork(RUN_ID, FORK_ID, key, ME)
    else:
        steers(world).restart(RUN_ID, key, ME)


def check_cut(world: World, run_id: str, key: str | None, *, dies_at: int) -> None:
    """The run goes on from there."""
    kept = recorded(world.store, run_id)
    assert key not in kept
    if key is None:
        assert kept == set()
    bodies = goes_on(world, run_id, dies_at=dies_at)
    assert not kept & bodies.keys(), "what stays was done again"
    assert set(bodies) == {f"branch.{number}/{call}" for number in range(WIDTH) for call in range(2)} - kept
    assert sum(bodies.values()) <= STEPS - len(kept) + WIDTH


INSISTS = Definition(
    body, "step", name="dying:insists", retry=perdure.Retry(attempts=2, initial_seconds=0, then="pause")
)


class Insisting(Life):
    """A claim of a run whose second step fails until that is mended."""

    is_mended = False

    def answer(self, run: Run, request: Request) -> Any:
        """Attempts of the second step fail; between them no time passes."""
        reply = None if isinstance(request, NoteRetry | Pause | AwaitTime) else super().answer(run, request)
        if isinstance(request, Settle):
            return 0.5
        if isinstance(request, Attempt) and request.call.definition is INSISTS and not self.is_mended:
            return Outcome(error=OSError("down"))
        return reply

    def execute(self) -> None:
        """Three steps, one after the other, the second of which insists."""
        root = Branch(self.run, is_async=True)
        for name, definition in (("a", INSISTS if self.is_mended else None), ("b", INSISTS), ("c", None)):
            self.drive(self.insist(root.next_key(), name, definition if name == "b" else None))
        self.commit()

    def insist(self, key: str, name: str, definition: Definition | None) -> Flow[object]:
        """One of them."""
        if definition is None:
            return self.step(key, name)
        stored, args, kwargs = SERIALIZER.accept_arguments((name,), {}, what="an argument")
        return run_step(StepCall(self.run, definition, key, args, kwargs, SERIALIZER.fingerprint(stored)))

    def drive(self, flow: Flow[object]) -> None:
        """Answer all that it asks."""
        with suppress(StopIteration):
            request = next(flow)
            while True:
                request = flow.send(self.answer(self.run, request))


@pytest.mark.parametrize("keeps", [False, pytest.param(True, marks=pytest.mark.long)], ids=["settled", "committed"])
def test_a_run_whose_retries_are_used_up_rests_whenever_its_process_dies(keeps: bool, worlds: Iterator[World]) -> None:
    """It asks people in this life or the next one, and goes on where that is mended."""
    at = 1
    while True:
        world, [claim] = next(worlds), fresh_claims(1)
        begin(world, claim)
        has_died = rests(world, claim, dies_at=at, keeps=keeps)
        if has_died:
            world.store.apply(W1, [RunReleased(RUN_ID, claim)])
            [again] = claimed(world.store)
            assert not rests(world, again.split()[1], dies_at=0, keeps=keeps)
        row = world.store.runs.row(RUN_ID)
        assert row is not None
        assert (row.state, row.stopped) == ("parked", "retries")
        assert claimed(world.store) == []
        assert steers(world).resume([RUN_ID], ME) == [RUN_ID]
        check_mended(world, dies_at=1 + at % 9)
        if not has_died:
            break
        at += 1
    assert at > 5


def rests(world: World, claim: str, *, dies_at: int, keeps: bool) -> bool:
    """Execute it until its retries are used up, and park it; true where the process died before that."""
    life = Insisting(world, claim, dies_at=dies_at, keeps_unsettled=keeps)
    try:
        life.execute()
    except RunInterrupted:
        life.commit()
        world.store.apply(W1, [RunParked(RUN_ID, claim, stopped=life.run.stops_as, reason=life.run.stops_for)])
        return False
    except Died:
        return True
    raise AssertionError("it has no reason to succeed")


def check_mended(world: World, *, dies_at: int) -> None:
    """It goes on to its end, with one more death on the way, and does the first step no more."""
    world.bodies.clear()
    for at in (dies_at, 0):
        [one] = claimed(world.store) or ["none none"]
        if one.split()[0] == "none":
            break
        life = Insisting(world, one.split()[1], dies_at=at, keeps_unsettled=True)
        life.is_mended = True
        try:
            life.execute()
        except Died:
            world.store.apply(W1, [RunReleased(RUN_ID, life.run.claim)])
        else:
            world.store.apply(W1, [RunFinished(RUN_ID, life.run.claim, "succeeded", None)])
    assert len(recorded(world.store)) == 3
    assert "0" not in world.bodies
