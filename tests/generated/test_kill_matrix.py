"""Every shape of workflow, killed at every boundary, on both stores: before and after each commit, and wherever a body
begins or ends or a value is seen. `tests/identity/test_every_death.py` does the same inside flows, without processes.

And in a process that leaves gracefully there: by SIGTERM, by `perdure.shutdown()`, or at the end of the block that has
launched; with no time for bodies to end, and with enough for all that end.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

import tests.generated.asking_shapes  # adds its shapes
import tests.generated.hook_shapes  # as above
import tests.generated.pure_shapes  # as above
import tests.generated.reacting_shapes  # as above
import tests.generated.saying_shapes  # as above
import tests.generated.waiting_shapes  # noqa: F401  # as above
from tests.generated.hosts import Host, hosting
from tests.generated.rules import Story, ended_bodies_do_not_begin
from tests.generated.shapes import SHAPES, Shape
from tests.generated.trial import Trial
from tests.inside.stores import open_store
from tests.interpreters import interpreters
from tests.stores.conftest import KINDS

NAMED = [shape for shape in SHAPES if shape.begins == "named"]
UNNAMED = [shape for shape in SHAPES if shape.begins != "named"]
ENOUGH_SECONDS = 1.0
"""Every body that ends does so in that time."""
WAYS = ["term", "stop", "leave"]
Fresh = Callable[[], str]


def describe(shape: Shape) -> str:
    """The test's id."""
    return f"{shape.name} {shape.begins}"


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    """Two hash seeds, and two Pythons where there are; a module of each shape's name has its workflow."""
    folder = tmp_path_factory.mktemp("shapes")
    for shape in SHAPES:
        (folder / f"{shape.name}.py").write_text(f"from {shape.function.__module__} import {shape.name}\n")
    with hosting([sys.executable, interpreters()[-1]], folder) as made:
        yield made


@pytest.fixture(params=KINDS)
def fresh(request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """Gives the URL of an empty database, as often as one is wanted."""
    if request.param == "postgres":
        from tests.stores.postgres_server import server_of  # late: where there is no Postgres it cannot be imported

        return server_of(request.config).emptied
    template = tmp_path / "template.db"
    store = open_store(str(template))
    store.migrate()
    store.close()
    numbers = count(1)
    return lambda: str(shutil.copy(template, tmp_path / f"{next(numbers)}.db"))


def story_of(shape: Shape) -> Story:
    """As it must go."""
    return Story(shape.name, shape.ending, shape.is_ordered)


def check(trial: Trial, where: str) -> None:
    """Every rule holds."""
    failures = trial.failures()
    assert not failures, f"killed {where}: {failures}\n{trial.warnings()}"


def kill_once(shape: Shape, url: str, folder: Path, hosts: list[Host], kills: str, kill_at: int) -> bool:
    """One death there, and a life that goes on; whether it came to the death."""
    trial = Trial([story_of(shape)], url, folder)
    is_killed = trial.live(hosts[0], kills=kills, kill_at=kill_at, begins=shape.begins)
    if is_killed:
        trial.live(hosts[1], begins="named" if shape.begins == "named" else "not")
    if is_killed and shape.begins != "named":
        story = trial.stories[shape.name]
        has_begun = bool(story.states)
        story.endings = {life: shape.ending for life in story.endings if has_begun} or {0: shape.ending}
        assert not has_begun or story.states[story.run] == "succeeded"
    check(trial, f"at {kills} {kill_at}")
    return is_killed


def test_all_shapes_survive_kills(fresh: Fresh, hosts: list[Host], tmp_path: Path) -> None:
    """All at once, a sample of the boundaries."""
    for number, (kills, kill_at) in enumerate([("store", 40), ("note", 30), ("note", 75)]):
        trial = Trial([story_of(shape) for shape in NAMED], fresh(), tmp_path / str(number))
        trial.live(hosts[0], kills=kills, kill_at=kill_at)
        trial.live(hosts[1])
        check(trial, f"at {kills} {kill_at}")


@pytest.mark.parametrize("shape", UNNAMED, ids=describe)
def test_who_has_no_name_goes_on_too(shape: Shape, fresh: Fresh, hosts: list[Host], tmp_path: Path) -> None:
    """A run that was called, or started without an id, ends in the next process; nobody waits for it there."""
    assert kill_once(shape, fresh(), tmp_path / "trial", hosts, "note", 4)


def leave_once(
    shapes: list[Shape], url: str, folder: Path, hosts: list[Host], *, how: str, kills: str, at: int, seconds: float
) -> bool:
    """One life that leaves there, and one that goes on; whether it came to that boundary."""
    trial = Trial([story_of(shape) for shape in shapes], url, folder)
    if not trial.live(hosts[0], kills=kills, kill_at=at, how=how, shutdown_seconds=seconds):
        return False
    trial.live(hosts[1])
    where = f"by {how} with {seconds} s at {kills} {at}"
    check(trial, where)
    stories = trial.stories.values() if seconds else ()
    again = [breach for story in stories for breach in ended_bodies_do_not_begin(story, 1)]
    assert not again, f"killed {where}: {again}\n{trial.warnings()}"
    return True


@pytest.mark.parametrize("how", WAYS)
def test_all_shapes_survive_a_process_that_leaves(how: str, fresh: Fresh, hosts: list[Host], tmp_path: Path) -> None:
    """All at once, one boundary."""
    seconds = 0.0 if how == "leave" else ENOUGH_SECONDS
    assert leave_once(NAMED, fresh(), tmp_path / "trial", hosts, how=how, kills="note", at=60, seconds=seconds)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", ["store", "note"])
@pytest.mark.parametrize("shape", SHAPES, ids=describe)
def test_a_shape_survives_its_death_at_every_boundary(
    shape: Shape, kills: str, fresh: Fresh, hosts: list[Host], tmp_path: Path
) -> None:
    """One life that dies there, for every boundary that a whole life has, and one that goes on."""
    for kill_at in count(1):
        if not kill_once(shape, fresh(), tmp_path / str(kill_at), hosts, kills, kill_at):
            assert kill_at > 5
            return


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kills", ["store", "note"])
@pytest.mark.parametrize("seconds", [0.0, ENOUGH_SECONDS])
@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("shape", NAMED, ids=describe)
def test_a_shape_survives_a_process_that_leaves_at_every_boundary(
    shape: Shape, how: str, seconds: float, kills: str, fresh: Fresh, hosts: list[Host], tmp_path: Path
) -> None:
    """One life that leaves there, for every boundary that a whole life has, and one that goes on."""
    for at in count(1):
        folder = tmp_path / str(at)
        if not leave_once([shape], fresh(), folder, hosts, how=how, kills=kills, at=at, seconds=seconds):
            assert at > 5
            return
