"""At whatever request the process dies, and in whatever order the branches went, the next life goes on rightly."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from perdure.stores.open import open_store
from tests.inside.dying import RUN_ID, Died, Life, World, begin, begin_again, live
from tests.stores.entries import W1, join, named_uuid


def positions(world: World) -> list[str]:
    """The keys in the recorded order; without gaps, no key twice."""
    rows = [row for row in world.store.runs.checkpoints(RUN_ID) if row.position is not None]
    ordered = sorted(rows, key=lambda row: row.position or 0)
    assert [row.position for row in ordered] == list(range(len(ordered)))
    assert len({row.key for row in rows}) == len(rows)
    return [row.key for row in ordered]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with a worker, to be copied: a test needs hundreds."""
    path = tmp_path_factory.mktemp("worlds") / "template.db"
    store = open_store(str(path))
    store.migrate()
    join(store, W1)
    store.close()
    return path


def check_death(
    template: Path, path: Path, choices: list[int], later: list[int], *, dies_at: int, keeps: bool, width: int
) -> int:
    """One life that dies there, and one that goes on in another order. The requests that the first would have had."""
    shutil.copy(template, path)
    world = World(open_store(str(path)))
    first, second = named_uuid("first"), named_uuid("second")
    begin(world, first)
    life = Life(world, first, dies_at=dies_at, keeps_unsettled=keeps)
    has_died = False
    try:
        live(life, choices, width=width, length=1)
    except Died:
        has_died = True
    requests = world.requests
    recorded, ran = positions(world), Counter(world.bodies)
    if has_died:
        begin_again(world, second, first)
        seen = life.seen
        life = Life(world, second, dies_at=0, keeps_unsettled=False)
        live(life, later, width=width, length=1)
        assert positions(world)[: len(recorded)] == recorded
        assert life.seen[: len(recorded)] == seen[: len(recorded)]
    order = positions(world)
    assert len(order) == 2 * width
    assert [key for key in order if key.endswith("/0")] == [
        f"branch.{'abcdefgh'.index(label[0])}/0" for label in life.seen if not label.endswith("told")
    ]
    for key in recorded:
        assert world.bodies[key] == ran[key], "a recorded step ran again"
    assert sum(world.bodies.values()) - 2 * width <= width
    world.store.close()
    return requests


def orders(width: int, depth: int) -> Iterator[list[int]]:
    """Every way to choose among the branches for the first `depth` times."""
    if not depth:
        yield []
        return
    for rest in orders(width, depth - 1):
        for choice in range(width):
            yield [choice, *rest]


@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_a_run_survives_its_death_at_every_request(keeps: bool, template: Path, tmp_path: Path) -> None:
    """Two branches, some interleavings, every request: recorded steps do not run again, the order goes on."""
    number = 0
    for choices, later in (([], [1] * 40), ([1] * 40, []), ([0, 1] * 20, []), ([1, 1, 0] * 14, [1] * 40)):
        dies_at = 1
        while True:
            number += 1
            path = tmp_path / f"{number}.db"
            requests = check_death(template, path, choices, later, dies_at=dies_at, keeps=keeps, width=2)
            if requests < dies_at:
                break
            dies_at += 1
        assert dies_at > 10


@pytest.mark.long
@pytest.mark.parametrize("keeps", [True, False], ids=["all is committed", "only what was settled"])
def test_a_run_survives_its_death_in_every_order_of_its_branches(keeps: bool, template: Path, tmp_path: Path) -> None:
    """Every interleaving of two branches in the first steps, and deaths at every request of each."""
    number = 0
    for choices in orders(2, 9):
        dies_at = 1
        while True:
            number += 1
            path = tmp_path / f"{number}.db"
            requests = check_death(template, path, choices, choices[::-1], dies_at=dies_at, keeps=keeps, width=2)
            for file in tmp_path.glob(f"{number}.db*"):
                if file.is_file():
                    file.unlink()
            if requests < dies_at:
                break
            dies_at += 1
