"""Every benchmark still works: each of Perdure's programs, and the bare database's, with a few units each.

The others are not installed here: `.ci/run` tries DBOS's programs, in their own environment.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest

from benchmarks.environments import CONTESTANTS
from benchmarks.shape import Shape, all_shapes
from tests.stores.postgres_server import server_of

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "benchmarks" / "programs"


def marks_of(store: str, shape: Shape, variant: str, contestant: str) -> list[pytest.MarkDecorator]:
    """By default each program is tried once, on SQLite, and on Postgres one of each contestant."""
    is_first = variant == next(iter(shape.variants))
    is_repeated = not is_first or (store == "postgres" and len(shape.stores) > 1 and shape.name != "sequential")
    return [pytest.mark.long] if is_repeated else []


CASES = [
    pytest.param(
        store,
        shape,
        variant,
        contestant,
        id="-".join(filter(None, (store, shape.name, variant, contestant))),
        marks=marks_of(store, shape, variant, contestant),
    )
    for shape in all_shapes()
    for store in shape.stores
    for variant in shape.variants
    for contestant in shape.contestants
    if contestant in {"perdure", "raw"}
]


@pytest.fixture
def unused_database_url(request: pytest.FixtureRequest, store: str, contestant: str, tmp_path: Path) -> Iterator[str]:
    """A file in WAL mode, or a database, with nothing in it yet; Perdure's own tables may be there, without rows."""
    if store == "sqlite":
        with closing(connect(tmp_path / "bench.db")) as made:
            made.execute("PRAGMA journal_mode = WAL")
        yield f"sqlite:///{tmp_path / 'bench.db'}"
    elif contestant == "perdure":
        yield server_of(request.config).emptied()
    else:
        with server_of(request.config).database(empty=True) as url:
            yield url


@pytest.mark.parametrize(("store", "shape", "variant", "contestant"), CASES)
def test_a_tiny_measurement_answers(
    store: str, shape: Shape, variant: str, contestant: str, unused_database_url: str
) -> None:
    """The program ends well and prints one line with every figure that the shape's tables ask for."""
    module = f"benchmarks.programs.{shape.module(contestant)}"
    arguments = ["--url", unused_database_url, "--shape", shape.name, "--variant", variant]
    arguments += ["--count", str(shape.tiny), "--patience", "80"]

    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", module, *arguments, "--counted"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "BENCH_SLEEP_SECONDS": "0.1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    figures = json.loads(ran.stdout.splitlines()[-1])["figures"]
    wanted = {shape.figure, "peak_mb", *shape.more_figures} | {t.figure for t in shape.targets.get(variant, ())}
    assert wanted <= figures.keys()


@pytest.mark.parametrize("shape", all_shapes(), ids=lambda shape: shape.name)
def test_every_contestant_has_its_program(shape: Shape) -> None:
    """A shape names its contestants; each has a program that is at least Python, DBOS's too."""
    for contestant in shape.contestants:
        ast.parse((PROGRAMS / f"{shape.module(contestant)}.py").read_text())


def test_every_program_belongs_to_a_shape() -> None:
    """A program that no shape names would rot unseen."""
    named = {shape.module(contestant) for shape in all_shapes() for contestant in shape.contestants}

    assert {path.stem for path in PROGRAMS.glob("*_*.py") if path.stem != "__init__"} == named


def test_all_contestants_have_the_same_driver() -> None:
    """A ratio says nothing where one has a newer driver than the other."""
    locks = {name: (ROOT / "benchmarks" / f"{name}.txt").read_text() for name in CONTESTANTS}

    drivers = {
        name: {line for line in lock.splitlines() if line.startswith("psycopg==")} for name, lock in locks.items()
    }

    assert {frozenset(lines) for lines in drivers.values()} == {frozenset(drivers["perdure"])} != {frozenset()}
