"""At whatever request of a `map` the process dies, the next life begins the same children and hands over the same.

The window, the flows, the run and its order are the real ones, the store is SQLite; the host plays the children,
which end in an order of the test's own.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from perdure._core.flow import (
    AwaitAny,
    AwaitEnd,
    CatchUp,
    Flow,
    LogTurn,
    Outcome,
    Record,
    Request,
    Settle,
    StartChild,
    Turn,
)
from perdure._core.flows.child import child_id, start_child
from perdure._core.flows.several import next_end
from perdure._core.lineage import Branch
from perdure._core.policy import Policy
from perdure._core.several import Several
from perdure._core.window import Window
from perdure._entries import Accepted, RunCreated, RunFinished
from perdure.stores.claimed import ClaimRequest
from perdure.stores.open import open_store
from tests.inside.dying import RUN_ID, SERIALIZER, Died, Life, World, begin, begin_again
from tests.stores.entries import W1, join, named_uuid

CHILD = "dying:child"
ITEMS = 5
LIMIT = 2
BAD = 3
"""The item whose child fails."""


class MapLife(Life):
    """One claim of a run that maps. `takes_last`: of the open children the youngest ends first."""

    def __init__(self, world: World, claim: str, *, dies_at: int, keeps_unsettled: bool, takes_last: bool) -> None:
        super().__init__(world, claim, dies_at=dies_at, keeps_unsettled=keeps_unsettled)
        self.takes_last = takes_last
        self.results: list[tuple[int, str]] = []

    def answer(self, run: Any, request: Request) -> Any:
        """Answer, or die."""
        if not isinstance(request, StartChild | AwaitAny | AwaitEnd):
            assert isinstance(request, Settle | Record | Turn | LogTurn | CatchUp), request
            return super().answer(run, request)
        super().answer(run, CatchUp(""))  # counted, and died at, as any other
        if isinstance(request, StartChild):
            self.pending.append(request.entry)
            return None
        if isinstance(request, AwaitAny):
            self.commit()  # whoever waits long is settled
            keys = list(request.several.calls)
            return keys[-1 if self.takes_last else 0]
        self.commit()
        return self.ended(request.run_id)

    def ended(self, run_id: str) -> Any:
        """The child's end; it executes now, unless it has."""
        store = self.world.store
        if not (found := store.runs.ended([run_id])):
            claims = [named_uuid(f"{run_id} {number}") for number in range(ITEMS)]
            for child in store.claim(W1, ClaimRequest({"": ITEMS}, [CHILD]), claims).runs:
                self.finish(child.run_id, child.claim, int(SERIALIZER.load_arguments(child.input)[0][0]))
            found = store.runs.ended([run_id])
        return found[0]

    def finish(self, run_id: str, claim: str, item: int) -> None:
        """The child's body, and its end."""
        self.world.bodies[str(item)] += 1
        if item == BAD:
            end = RunFinished(run_id, claim, "failed", SERIALIZER.dump_error(ValueError(str(item))))
        else:
            end = RunFinished(run_id, claim, "succeeded", SERIALIZER.accept(f"value {item}", what="a value")[0])
        assert isinstance(self.world.store.apply(W1, [end])[0], Accepted)

    def mapping(self) -> Generator[Request, Any, None]:
        """What `map` does in a sync run."""
        inside = Branch(self.run, is_async=False).fork("map", is_async=False)
        window, several, places = (
            Window(iter(range(ITEMS)), LIMIT, Policy(failures=1)),
            Several.of({}, self.run.order),
            {},
        )
        while True:
            for place, item in window.take_items():
                run_id = yield from self.start(inside, item)
                key = inside.next_key()
                places[key] = place
                several.add(key, run_id, self.run.order)
            if (found := window.take_next()) is not None:
                item, outcome = found
                self.results.append((item, outcome.value if outcome.error is None else repr(outcome.error)))
            elif window.open:
                key, outcome = yield from self.next(several)
                window.end(places.pop(key), outcome)
            else:
                return

    def start(self, inside: Branch, item: int) -> Flow[str]:
        """A child of this item."""
        key = inside.next_key()
        stored = SERIALIZER.accept_arguments((item,), {}, what="an argument")[0]
        fingerprint, entry_id = SERIALIZER.fingerprint(stored), f"{self.run.claim}:{self.run.next_entry_id()}"
        made = RunCreated(
            child_id(RUN_ID, key), "step", CHILD, fingerprint, stored, entry_id, self.run.claim, RUN_ID, key
        )
        return (yield from start_child(self.run, made))

    def next(self, several: Several) -> Flow[tuple[str, Outcome]]:
        """The next that ends."""
        found = yield from next_end(self.run, several, ())
        assert isinstance(found, tuple)
        return found


def live_map(life: MapLife) -> None:
    """To the end, or to its death."""
    flow = life.mapping()
    request = next(flow)
    while True:
        try:
            request = flow.send(life.answer(life.run, request))
        except StopIteration:
            life.commit()
            return


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a worker, to be copied."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.close()
    return path


EXPECTED = [(item, f"value {item}" if item != BAD else f"ValueError('{BAD}')") for item in range(ITEMS)]


def check_map_death(template: Path, path: Path, dies_at: int, *, keeps: bool, takes_last: bool) -> bool:
    """One life that dies there, and one in which the children would end in another order; whether it died."""
    shutil.copy(template, path)
    world = World(open_store(str(path)), Counter())
    first, second = named_uuid("first"), named_uuid("second")
    begin(world, first)
    life, has_died = MapLife(world, first, dies_at=dies_at, keeps_unsettled=keeps, takes_last=takes_last), False
    try:
        live_map(life)
    except Died:
        has_died = True
        begin_again(world, second, first)
        seen = life.results
        life = MapLife(world, second, dies_at=0, keeps_unsettled=False, takes_last=not takes_last)
        live_map(life)
        assert life.results[: len(seen)] == seen
    assert life.results == EXPECTED
    assert world.bodies == Counter(str(item) for item in range(ITEMS)), "a child ran twice"
    assert len(world.store.runs.histories([RUN_ID])[0].children) == ITEMS
    world.store.close()
    return has_died


@pytest.mark.parametrize(
    ("keeps", "takes_last"),
    [
        pytest.param(True, True, id="all is committed, youngest first"),
        pytest.param(False, False, id="only what was settled, oldest first"),
        pytest.param(True, False, id="all is committed, oldest first", marks=pytest.mark.long),
        pytest.param(False, True, id="only what was settled, youngest first", marks=pytest.mark.long),
    ],
)
def test_a_map_survives_its_death_at_every_request(
    keeps: bool, takes_last: bool, template: Path, tmp_path: Path
) -> None:
    """No child is made or executed twice, and every result comes at its place."""
    dies_at = 1
    while check_map_death(template, tmp_path / f"{dies_at}.db", dies_at, keeps=keeps, takes_last=takes_last):
        dies_at += 1
    assert dies_at > 4 * ITEMS
