"""The same program gives the same keys and outcomes, whatever the timing, the loop, the process and the Python."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import perdure
from tests.identity import programs
from tests.identity.execute import execute, outcomes, run_loop
from tests.identity.killing import RUN_ID, Life, finish, start

each_program = pytest.mark.parametrize("program", programs.KEYED, ids=lambda program: program.__name__)


def record(program: Callable[..., Any], folder: Path, *, chance: int, kind: str = "stock") -> tuple[Any, Any]:
    """The value and the outcomes of a run in this process, with a timing of its own."""
    programs.CHANCE.seed(chance)
    url = str(folder / f"{chance}.db")
    value = run_loop(execute(url, program, RUN_ID, []), kind=kind)
    return value, outcomes(url, RUN_ID)


@pytest.fixture(scope="module")
def first_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[..., Any]], tuple[Any, Any]]:
    """What a program gave the first time, in this process: recorded once for all tests that compare with it."""

    @functools.cache
    def first(program: Callable[..., Any]) -> tuple[Any, Any]:
        return record(program, tmp_path_factory.mktemp("first"), chance=1)

    return first


First = Callable[[Callable[..., Any]], tuple[Any, Any]]


@each_program
def test_the_timing_changes_no_key(program: Callable[..., Any], first_of: First, tmp_path: Path) -> None:
    """Bodies and pauses of other lengths give the same outcome under each key."""
    first = first_of(program)
    assert [record(program, tmp_path, chance=chance) for chance in (2, 3)] == [first, first]


@each_program
def test_the_loop_changes_no_key(program: Callable[..., Any], first_of: First, tmp_path: Path) -> None:
    """uvloop runs callbacks in other moments than the stock loop."""
    assert first_of(program) == record(program, tmp_path, chance=2, kind="uvloop")


@each_program
def test_the_process_changes_no_key(program: Callable[..., Any], first_of: First, tmp_path: Path) -> None:
    """A fresh process has other hashes, so its sets have another order."""
    value, found = first_of(program)
    url = str(tmp_path / "other.db")
    process = start(url, program.__name__, [], Life(hash_seed=4711), tmp_path / "ledger")
    assert finish(process, url) == {"value": value, "outcomes": found}


@pytest.mark.parametrize(
    "program",
    [pytest.param(one, marks=pytest.mark.long if number % 3 else ()) for number, one in enumerate(programs.KEYED)],
    ids=lambda program: program.__name__,
)
def test_the_version_of_python_changes_no_key(
    program: Callable[..., Any], first_of: First, tmp_path: Path, other_pythons: list[str]
) -> None:
    """Versions differ in the tasks that asyncio makes for itself."""
    value, found = first_of(program)
    for number, python in enumerate(other_pythons):
        url = str(tmp_path / f"other{number}.db")
        process = start(url, program.__name__, [], Life(python), tmp_path / "ledger")
        assert finish(process, url) == {"value": value, "outcomes": found}


def test_a_key_is_the_path_of_branches_and_the_number_of_the_call(tmp_path: Path) -> None:
    """Branches are the nth of their name; a call on the way to a task counts where it was made."""
    _, found = record(programs.tasks, tmp_path, chance=1)
    assert {key: outcome for key, (_, outcome) in found.items()} == {
        "0": '"DIRECT"',
        "1": '"OWN"',
        "branch.0/0": '"A0"',
        "branch.0/1": '"A1"',
        "branch.0/2": '"A2"',
        "branch.1/0": '"B0"',
        "branch.1/1": '"B1"',
    }


def record_with_factory(program: Callable[..., Any], url: str, factory: Any) -> Any:
    """The value of a run on a loop that has a task factory of its own."""

    async def main() -> Any:
        asyncio.get_running_loop().set_task_factory(factory)
        return await execute(url, program, RUN_ID, [])

    return asyncio.run(main())


@each_program
def test_a_task_factory_of_the_loop_changes_no_key(
    program: Callable[..., Any], first_of: First, tmp_path: Path
) -> None:
    """The loop's own factory goes on to make the tasks, and their keys are the same."""
    made = 0

    def factory(loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
        nonlocal made
        made += 1
        return asyncio.Task(coro, loop=loop, **options)

    value, found = first_of(program)
    url = str(tmp_path / "factory.db")
    assert record_with_factory(program, url, factory) == value
    assert outcomes(url, RUN_ID) == found
    assert made > 1


@each_program
@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_eager_tasks_change_no_key(program: Callable[..., Any], first_of: First, tmp_path: Path) -> None:
    """An eager task runs before its maker has it."""
    value, found = first_of(program)
    url = str(tmp_path / "eager.db")
    assert record_with_factory(program, url, asyncio.eager_task_factory) == value  # type: ignore[attr-defined]
    assert outcomes(url, RUN_ID) == found


@perdure.workflow
async def with_contexts() -> list[str]:
    import contextvars

    shared = contextvars.copy_context()
    contexts = [shared, shared, contextvars.Context()]
    made = [
        asyncio.get_running_loop().create_task(programs.branch(name, 2), context=context)
        for name, context in zip("abc", contexts, strict=True)
    ]
    return [one for task in made for one in await task]


def test_a_task_with_a_context_of_its_own_is_a_branch(tmp_path: Path) -> None:
    """Its steps are recorded, and under its own keys, whatever context the program gives it."""
    value, found = record(with_contexts, tmp_path, chance=1)
    assert value == ["A0", "A1", "B0", "B1", "C0", "C1"]
    assert sorted(found) == [f"branch.{branch}/{call}" for branch in range(3) for call in range(2)]


@perdure.workflow
async def with_anyio() -> list[str]:
    import anyio

    done: list[str] = []

    async def one(name: str) -> None:
        done.extend(await programs.branch(name, 2))

    async with anyio.create_task_group() as group:
        group.start_soon(one, "a")
        group.start_soon(one, "b")
        with anyio.fail_after(60):
            done.append(await programs.work("own"))
    return sorted(done)


def test_the_tasks_of_anyio_are_branches(tmp_path: Path) -> None:
    """A library may make the tasks for the program."""
    pytest.importorskip("anyio")
    first = record(with_anyio, tmp_path, chance=1)
    assert first[0] == ["A0", "A1", "B0", "B1", "OWN"]
    assert record(with_anyio, tmp_path, chance=2) == first
    assert len(first[1]) == 5
