"""Random programs that are killed and resumed mean what they say: see README.md in this folder."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.generated.hosts import Host, hosting
from tests.generated.program import CONSTRUCTS, Program, generate
from tests.generated.trial import Trial, try_together
from tests.interpreters import interpreters
from tests.stores.conftest import KINDS

FIRST = int(os.environ.get("PERDURE_SEED", "0"))
PROGRAMS = int(os.environ.get("PERDURE_PROGRAMS", "1000"))
ALLOWED = frozenset(os.environ.get("PERDURE_CONSTRUCTS", "").split()) or frozenset(CONSTRUCTS)
TOGETHER = 25
WAYS = ["kill", "kill", "term", "stop", "leave"]


def programs(first: int, count: int) -> list[Program]:
    """Those of so many seeds."""
    return [generate(seed, ALLOWED) for seed in range(first, first + count)]


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Host]]:
    """This Python under two hash seeds, and one of each other version."""
    pythons = [sys.executable, sys.executable, *interpreters()[1:]]
    with hosting(pythons, tmp_path_factory.mktemp("generated")) as made:
        yield made


def check(
    chosen: Sequence[Program],
    url: str,
    folder: Path,
    hosts: Sequence[Host],
    *,
    kills: int,
    ways: Sequence[str] = ("kill",),
    loops: Sequence[str] = ("stock", "uvloop", "stock"),
) -> None:
    """Kill them, let them end, hold them to every rule."""
    chance = random.Random(chosen[0].seed)  # noqa: S311  # where to kill
    trial = try_together(chosen, url, folder / "trial", hosts, chance, kills=kills, ways=ways, loops=loops)
    failures = trial.failures()
    assert not failures, describe(chosen, trial, failures)


def describe(chosen: Sequence[Program], trial: Trial, failures: dict[str, list[str]]) -> str:
    """For people: each failing program, what does not hold, how to see it again."""
    told = [f"{len(failures)} of {len(chosen)} programs fail: {', '.join(failures)}"]
    for program in chosen:
        if found := failures.get(program.name):
            told.append(f"{program.source()}\n# " + "\n# ".join(found))
            told.append(f"# make it smaller: python -m tests.generated.shrink {program.seed}")
    return "\n\n".join([*told, trial.warnings()])


def test_programs_mean_the_same_with_perdure(hosts: list[Host], tmp_path: Path) -> None:
    """Nobody is killed: every program ends as it does without Perdure, each body begun once."""
    check(programs(300, 24), str(tmp_path / "p.db"), tmp_path, hosts, kills=0)


def test_programs_survive_kills(store_url: str, hosts: list[Host], tmp_path: Path) -> None:
    """Four deaths, two loops, all Pythons: result, order, keys and bodies as promised."""
    first = 500 if store_url.startswith("postgresql") else 100
    check(programs(first, 24), store_url, tmp_path, hosts, kills=4)


def test_programs_survive_processes_that_leave(hosts: list[Host], tmp_path: Path) -> None:
    """Graceful ends between deaths, at once and with time for the bodies."""
    check(programs(400, 24), str(tmp_path / "p.db"), tmp_path, hosts, kills=4, ways=WAYS)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_programs_survive_kills_where_tasks_begin_at_once(hosts: list[Host], tmp_path: Path) -> None:
    """The same under asyncio's eager task factory, in every life."""
    check(programs(200, 20), str(tmp_path / "p.db"), tmp_path, hosts[:2], kills=3, loops=["eager"])


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(FIRST, FIRST + PROGRAMS, TOGETHER))
def test_a_thousand_programs_find_nothing(
    first: int, hosts: list[Host], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Batches of programs: stores, loops and eager tasks in turn; six deaths or graceful ends each."""
    number = first // TOGETHER
    is_eager = number % 4 == 3 and sys.version_info >= (3, 12)
    is_postgres = number % 2 == 1 and "postgres" in KINDS
    url = str(request.getfixturevalue("postgres_url")) if is_postgres else str(tmp_path / "p.db")
    chosen = programs(first, min(TOGETHER, FIRST + PROGRAMS - first))
    if is_eager:
        check(chosen, url, tmp_path, hosts[:2], kills=6, ways=WAYS, loops=["eager"])
    else:
        check(chosen, url, tmp_path, hosts, kills=6, ways=WAYS)
