"""`perdure check`: unfinished runs are replayed with new code, and nothing is run or written."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import perdure
from perdure import patched, recv, step, workflow
from tests.cli.conftest import Perdure
from tests.conformance.conftest import SETTINGS
from tests.conformance.ledger import ran, until
from tests.inside.functions import forget_functions

PROGRAM = "tests.cli.programs"
NAME = "checked:run"


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Of the functions and of what they did."""
    ran.clear()
    yield
    forget_functions("checked:")


def deploy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Put it in the place of the workflow, as a deploy does."""
    forget_functions(NAME)
    return workflow(name=NAME)(function)


def under_way(url: str, function: Callable[..., Any], *args: Any, count: int = 1) -> list[str]:
    """Runs of it that are parked for long, in a process that is gone."""
    with perdure.running(url, **SETTINGS):
        handles = [perdure.start(deploy(function), *args) for _ in range(count)]
        until(lambda: all(perdure.runs.get(handle.run_id).attributes for handle in handles))
        until(lambda: all(handle.status() == "parked" for handle in handles))
    return [handle.run_id for handle in handles]


@step
def note(text: str) -> str:
    ran.append(text)
    return text


@step
async def anote(text: str) -> str:
    ran.append(text)
    return text


@step
def child(number: int) -> int:
    return number


def old() -> str:
    first = note("first")
    total = sum(handle.result() for handle in [perdure.start(child, 1), perdure.start(child, 2)])
    perdure.now()
    perdure.set_attributes({"a": 1})
    word = recv("go on")
    return note(f"{first} {total} {word}")


def with_more_at_the_end() -> str:
    result = old()
    note("more")
    return result


def with_more_at_the_beginning() -> str:
    note("new")
    return old()


def asks() -> str:
    if patched("beginning"):
        note("new")
    return old()


def other_arguments() -> str:
    note("other")
    return old()


def without_the_children() -> None:
    note("first")
    perdure.now()
    recv("go on")


def ends_early() -> str:
    return note("first")


async def aold() -> None:
    await asyncio.gather(anote("a"), anote("b"))
    perdure.set_attributes({"a": 1})
    await perdure.sleep(3600)
    await anote("c")


async def anew() -> None:
    await asyncio.gather(anote("a"), anote("b"), anote("c"))
    perdure.set_attributes({"a": 1})
    await perdure.sleep(3600)


async def aless() -> None:
    await anote("a")
    perdure.set_attributes({"a": 1})
    await perdure.sleep(3600)


CLEAN = [(old, old), (old, with_more_at_the_end), (old, asks), (aold, aold)]
DIFFERENT = [
    (old, with_more_at_the_beginning, "recorded is step tests.cli.test_check:note with the arguments"),
    (old, other_arguments, 'the code now asks for the same with the arguments ["other"]'),
    (old, without_the_children, "recorded is a child run of tests.cli.test_check:child"),
    (old, ends_early, "nothing: the workflow has ended"),
    (aold, aless, ""),
]


@pytest.mark.parametrize(("before", "after"), CLEAN)
def test_code_that_can_go_on_is_clean(
    command: Perdure, store_url: str, before: Callable[..., Any], after: Callable[..., Any]
) -> None:
    """Every run is replayed as far as it has come, and no body is run again."""
    run_ids = under_way(store_url, before, count=3)
    done = list(ran)
    deploy(after)
    said = command("check", PROGRAM)
    assert (said.code, said.out) == (0, "3 unfinished runs were replayed; 0 cannot go on with this code\n"), said.err
    assert ran == done
    assert command("check", PROGRAM, "--json").json == {"checked": 3, "differences": []}
    with perdure.Client(store_url) as client:
        assert [client.handle(run_id).status() for run_id in run_ids] == ["parked"] * 3


@pytest.mark.parametrize(("before", "after", "difference"), DIFFERENT)
def test_a_difference_is_shown(
    command: Perdure,
    store_url: str,
    before: Callable[..., Any],
    after: Callable[..., Any],
    difference: str,
) -> None:
    """With the run and the call, as the run would be parked with; the exit code stops a deploy."""
    [run_id] = under_way(store_url, before)
    done = list(ran)
    deploy(after)
    said = command("check", PROGRAM)
    assert said.code == 1, said.err
    assert said.out.startswith(f"{run_id}  {NAME}\n  run {run_id} of {NAME} does not match its history")
    assert difference in said.out
    assert said.out.endswith("1 unfinished runs were replayed; 1 cannot go on with this code\n")
    [shown] = command("check", PROGRAM, "--json").json["differences"]
    assert (shown["run_id"], shown["name"], shown["is_unknown"]) == (run_id, NAME, False)
    assert ran == done
    with perdure.Client(store_url) as client:
        assert client.runs.get(run_id).run.reason is None


def test_arguments_that_do_not_fit_are_a_difference(command: Perdure, store_url: str) -> None:
    """Also of a run that has not begun."""
    with perdure.Client(store_url) as client:
        client.submit(NAME, 1)

    def takes_two(one: int, two: int) -> None: ...

    deploy(takes_two)
    said = command("check", PROGRAM)
    assert (said.code, "its arguments cannot be read, or do not fit" in said.out) == (1, True)


def with_price(price: Any) -> type:
    """A class of one name whose price is declared so."""
    cls = dataclass(type("Item", (), {"__annotations__": {"price": price}, "__module__": __name__}))
    perdure.register(cls)
    return cls


def test_values_of_a_class_that_has_changed_are_a_difference(command: Perdure, store_url: str) -> None:
    """With the step, the field and what to do; of arguments as well. `doctor` and `runs show` say it of what waits."""

    def made_by(cls: Any) -> Callable[..., Any]:
        @step(name="checked:item")
        def item() -> Any:
            return cls(1)

        def buys(given: Any) -> None:
            item()
            old()

        return buys

    cls: Any = with_price(int)
    [run_id] = under_way(store_url, made_by(cls), [])
    argued = under_way(store_url, made_by(cls), cls(2))
    forget_functions("checked:")
    deploy(made_by(with_price(float)))  # wider: nothing to say
    assert command("check", PROGRAM).code == 0
    forget_functions("checked:")
    deploy(made_by(with_price(str)))
    said = " ".join(command("check", PROGRAM).out.split())
    assert (
        f"{NAME} run {run_id} of {NAME} cannot go on: what is recorded for call 0 (step checked:item) cannot be" in said
    )
    assert "its field 'price' holds int where str belongs" in said
    assert "perdure.register(Item, version=2, upcasters={1: …})" in said
    assert f"{argued[0]} {NAME} its arguments cannot be read, or do not fit {NAME}: $[0] was stored when" in said
    assert "2 unfinished runs were replayed; 2 cannot go on with this code" in said
    with perdure.running(store_url, **SETTINGS), perdure.Client(store_url) as client:
        perdure.send(run_id, "word", topic="go on")
        until(lambda: client.handle(run_id).reason is not None)
        for shown in ("doctor",), ("runs", "show", run_id), ("runs", "explain", run_id):
            assert "holds int where str belongs" in " ".join(command(*shown).out.split()), shown


def test_a_function_that_is_gone_is_a_difference(command: Perdure, store_url: str) -> None:
    """Unless another program has it, and the command is told so."""
    with perdure.Client(store_url) as client:
        client.submit("elsewhere:work")
    said = command("check", PROGRAM)
    assert (said.code, "this program has no function of that name" in said.out) == (1, True)
    assert command("check", PROGRAM, "--known").code == 0


def test_nothing_is_written(command: Perdure, tmp_path: Path) -> None:
    """Not a byte of the file; a database that is not there is not made."""
    path = tmp_path / "a.db"
    under_way(str(path), old)
    deploy(with_more_at_the_beginning)
    sqlite3.connect(path).close()  # the last to close it takes the log in
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    assert command("check", PROGRAM, url=str(path)).code == 1
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before
    said = command("check", PROGRAM, url=str(tmp_path / "none.db"))
    assert (said.code, (tmp_path / "none.db").exists()) == (4, False)
    said = command("check", "no.such.module", url=str(path))
    assert (said.code, "there is no module no.such.module" in said.err) == (2, True)


def test_runs_that_are_held_are_read_beside_their_worker(command: Perdure, store_url: str) -> None:
    """What works goes on meanwhile."""
    with perdure.running(store_url, **(SETTINGS | {"park_after_seconds": 3600.0})):
        handle = perdure.start(deploy(old))
        until(lambda: handle.status() == "held" and len(perdure.runs.get(handle.run_id).steps) > 2)
        assert command("check", PROGRAM).code == 0
        perdure.send(handle, "yes", topic="go on")
        assert handle.result(20) == "first 3 yes"
        assert ran == ["first", "first 3 yes"]
