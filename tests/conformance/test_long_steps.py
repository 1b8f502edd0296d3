"""Long steps: how far a body has come is seen from outside, and an attempt begins where the one before it was."""

from __future__ import annotations

import functools
from typing import Any

import pytest

import perdure
from perdure import Retry, StepProgress, UsageError, progress, save, saved, start, step, workflow
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import await_signal, ran, replay, signals, until

running = functools.partial(perdure.running, **SETTINGS)
twice = Retry(attempts=3, initial_seconds=0)


@step(retries=twice)
def rows(most: int, fails_at: list[int]) -> list[int]:
    """Some rows, of which one fails once."""
    first, seen = saved((0, []))
    for row in range(first, most):
        ran.append(str(row))
        seen.append(row)
        save((row + 1, seen))
        if row in fails_at and ran.count(str(row)) == 1:
            raise ConnectionError("cut off")
    return seen


@step(retries=twice)
async def arows(most: int, fails_at: list[int]) -> list[int]:
    """The same, async."""
    first, seen = saved((0, []))
    for row in range(first, most):
        ran.append(str(row))
        seen.append(row)
        await save((row + 1, seen))
        if row in fails_at and ran.count(str(row)) == 1:
            raise ConnectionError("cut off")
    return seen


@workflow
def imports(most: int, fails_at: list[int]) -> list[Any]:
    """Two of them: what one has saved is not the other's."""
    found = [rows(most, fails_at), rows(1, [])]
    replay()
    return found


@workflow
async def aimports(most: int, fails_at: list[int]) -> list[Any]:
    """The same, async; a sync step stops the loop."""
    return [await arows(most, fails_at), plain(1)]


@step
def plain(most: int) -> list[int]:
    """It saves once."""
    first, seen = saved((0, []))
    save((first + 1, [*seen, first]))
    return saved()[1]  # type: ignore[no-any-return]


@step
def tells(name: str) -> str:
    """It says how far it has come, and waits."""
    progress(1, 4, note="reading")
    progress(3, 4, note="writing")
    signals[f"{name} began"].set()
    await_signal(name)
    progress(4)
    return name


@workflow
def tells_and_ends(name: str) -> str:
    """A step, and a wait after it."""
    tells(name)
    perdure.sleep(3600)
    return name


@workflow
def misuses(what: str) -> str:
    """What is for steps."""
    try:
        {"progress": lambda: progress(1), "save": lambda: save(1), "saved": lambda: saved()}[what]()
    except UsageError as error:
        return str(error)
    return "nothing"


@step
def says_wrong(case: int) -> str:
    """What cannot be said."""
    wrong: list[Any] = [("1",), (True,), (1, float("inf")), (1, "2")]
    try:
        if case < len(wrong):
            progress(*wrong[case])
        elif case == 4:
            progress(1, note="x" * 501)
        elif case == 6:
            progress(1, note="\ud800")
        else:
            save(object())
    except (UsageError, perdure.SerializationError) as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def shown(app: perdure.Perdure, run_id: str) -> list[StepProgress]:
    """How far it has come, as anybody sees it."""
    return list(perdure.runs.get(run_id).progress)


@pytest.mark.parametrize("fn", [imports, aimports])
def test_a_retried_step_begins_where_it_was(app: perdure.Perdure, fn: Any) -> None:
    """Nothing of what was saved is done again, and nothing is left of it."""
    handle = start(fn, 6, [2, 4])
    assert handle.result(20) == [[0, 1, 2, 3, 4, 5], [0]]
    assert ran[:6] == [str(row) for row in range(6)]
    assert [row for row in perdure.runs.get(handle.run_id).steps if row.kind == "saved"] == []


def test_a_step_that_is_a_run_begins_where_it_was(app: perdure.Perdure) -> None:
    """By itself, on its own retries."""
    assert start(rows, 4, [1]).result(20) == [0, 1, 2, 3]
    assert ran == ["0", "1", "2", "3"]


def test_progress_is_seen_while_the_step_runs_and_not_after(app: perdure.Perdure) -> None:
    """The last of it, by the handle, by `runs.get` and `runs.progress`."""
    handle = start(tells_and_ends, "x")
    await_signal("x began")
    until(lambda: [one.done for one in handle.progress()] == [3])
    [seen] = shown(app, handle.run_id)
    assert (seen.done, seen.total, seen.share, seen.note, seen.attempt) == (3, 4, 0.75, "writing", 1)
    assert seen.name.endswith("tells")
    assert [one.run_id for one in perdure.runs.progress(handle.run_id, "nobody")] == [handle.run_id]
    signals["x"].set()
    until(lambda: not handle.progress())
    handle.cancel()


def test_a_step_by_itself_says_how_far_it_is(app: perdure.Perdure) -> None:
    """Its key is empty."""
    handle = start(tells, "y")
    until(lambda: [one.key for one in handle.progress()] == [""])
    signals["y"].set()
    assert handle.result(20) == "y"
    assert handle.progress() == []


def test_outside_a_run_nothing_is_kept(app: perdure.Perdure) -> None:
    """A step that is called as a plain function does its work."""
    assert rows.__wrapped__(2, []) == [0, 1] if hasattr(rows, "__wrapped__") else True
    progress(1, 2)
    save(1)
    assert saved("none") == "none"


@pytest.mark.parametrize("what", ["progress", "save", "saved"])
def test_a_workflow_has_no_need_of_it(sqlite_app: perdure.Perdure, what: str) -> None:
    """What it has done is recorded."""
    assert f"{what}() is for the body of a step" in start(misuses, what).result(20)


@pytest.mark.parametrize(
    ("case", "said"),
    [*enumerate(["done='1'", "done=True", "total=inf", "total='2'", "note="]), (5, "SerializationError"), (6, "note=")],
)
def test_what_cannot_be_kept_is_refused_where_it_is_given(sqlite_app: perdure.Perdure, case: int, said: str) -> None:
    """In the body, which may handle it."""
    assert said in start(says_wrong, case).result(20)
