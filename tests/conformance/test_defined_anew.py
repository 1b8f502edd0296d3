"""Functions that are defined again: reloaded, edited, imported twice, made by a factory; and those that clash."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import perdure
from perdure import step

pytestmark = pytest.mark.usefixtures("sqlite_app")

MODULE = """
    from perdure import step, workflow
    from tests.conformance.ledger import ran, replay

    @step
    def one() -> str:
        ran.append("one")
        return "{word}"

    @workflow
    def both() -> str:
        seen = one()
        replay()
        return seen
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A module of its own, imported."""
    name = f"conformance_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(MODULE.format(word="first")))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module(name)
    del sys.modules[name]


def test_a_reloaded_module_replaces_its_functions(module: ModuleType) -> None:
    """uvicorn's and notebooks' reloads: the same place in the same file is no clash."""
    assert module.both() == "first"
    again = importlib.reload(module)
    assert again.both() == "first"
    assert perdure.start(again.both).result() == "first"


@pytest.mark.parametrize("load", [importlib.reload, lambda module: import_anew(module.__name__)])
def test_a_function_that_was_edited_takes_its_own_place(
    module: ModuleType, load: Callable[[ModuleType], ModuleType]
) -> None:
    """Its module is the same, its name too, and the old code is gone; wherever in the file it stands now."""
    file = Path(str(module.__file__))
    file.write_text("# one line more\n" + textwrap.dedent(MODULE.format(word="second, longer")))
    importlib.invalidate_caches()
    again = load(module)
    assert again.both() == "second, longer"
    assert perdure.start(again.both).result() == "second, longer"


def import_anew(name: str) -> ModuleType:
    """As a server's own reload does."""
    del sys.modules[name]
    return importlib.import_module(name)


def test_a_function_of_the_same_name_further_down_its_module_is_a_clash(tmp_path: Path) -> None:
    """Both may be held by somebody, a route or a table, and neither is the other one edited."""
    file = tmp_path / "twice.py"
    file.write_text("from perdure import step\n" + 2 * "@step\ndef again(x): return x\n")
    with pytest.raises(perdure.UsageError, match=r"two functions are called .*twice.py:2 and .*twice.py:4"):
        exec(compile(file.read_text(), str(file), "exec"), {"__name__": "conformance_twice"})  # noqa: S102


def test_an_edited_cell_of_a_notebook_takes_the_place_of_the_one_before() -> None:
    """Every execution of a cell has a file name of its own, and the namespace of all cells."""
    namespace: dict[str, Any] = {"__name__": "conformance_cells"}
    for number, word in enumerate(["first", "second"]):
        cell = "\n" * number + textwrap.dedent(MODULE.format(word=word))
        exec(compile(cell, f"<cell {number}>", "exec"), namespace)  # noqa: S102
        assert namespace["both"]() == word


def test_autoreload_gives_the_new_code_to_what_was_imported_before() -> None:
    """IPython's %autoreload copies a new function's code and attributes into the old one, which others hold."""
    namespaces: list[dict[str, Any]] = [{"__name__": "conformance_autoreload"} for _ in range(2)]
    for word, namespace in zip(["first", "second"], namespaces, strict=True):
        exec(compile(textwrap.dedent(MODULE.format(word=word)), "<cell>", "exec"), namespace)  # noqa: S102
    old, new = (namespace["both"] for namespace in namespaces)
    old.__code__, old.__dict__ = new.__code__, new.__dict__
    assert old() == "second"
    assert perdure.start(old).result() == "second"


def multiply_by(factor: int) -> Callable[[int], int]:
    """A factory that gives what it makes one name."""

    @step(name="conformance:multiply")
    def multiply(number: int) -> int:
        return number * factor

    return multiply


def test_two_closures_of_one_name_are_refused_unless_they_are_the_same() -> None:
    """DBOS (dbos-transact-py#837, #283): the later one replaces the earlier, and what is queued runs the wrong one."""
    multiply_by(2)
    multiply_by(2)
    with pytest.raises(perdure.UsageError, match=r"multiply is defined twice .*\(factor\)"):
        multiply_by(3)


def test_a_default_is_a_part_of_a_function_that_a_loop_defines() -> None:
    """The other way to tie a value to a function."""

    def define() -> None:
        for number in (1, 2):

            @step(name="conformance:looped")
            def looped(number: int = number) -> int:
                return number

    with pytest.raises(perdure.UsageError, match="the defaults"):
        define()


def test_two_functions_of_one_name_are_a_clash() -> None:
    """DBOS raises its ConflictingRegistrationError; both places are named."""
    step(name="conformance:taken")(plain_one)
    with pytest.raises(perdure.UsageError, match=r"conformance:taken.*test_defined_anew.*test_defined_anew"):
        step(name="conformance:taken")(plain_two)


def plain_one() -> None:
    """A function."""


def plain_two() -> None:
    """Another."""


def test_code_without_a_file_can_be_durable_and_executed_again() -> None:
    """Notebooks define a cell's functions anew with every execution of the cell."""
    cell = textwrap.dedent(MODULE.format(word="cell"))
    namespace: dict[str, Any] = {"__name__": "conformance_notebook"}
    exec(compile(cell, "<cell 1>", "exec"), namespace)  # noqa: S102
    assert namespace["both"]() == "cell"
    exec(compile(cell, "<cell 1>", "exec"), namespace)  # noqa: S102
    assert namespace["both"]() == "cell"
