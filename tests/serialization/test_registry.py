"""Which types become known, and under which names."""

from __future__ import annotations

import enum
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, TypeVar

import pytest

from perdure import errors
from perdure._core.names import module_name, name_of_function
from perdure._core.serialization import TypeRegistry
from tests.serialization import samples

if TYPE_CHECKING:
    from nowhere import Missing  # type: ignore[import-not-found]


@dataclass
class Leaf:
    x: int


@dataclass
class Branch:
    left: Branch | None
    leaf: Annotated[Leaf, "some note"]


class Kind(enum.Enum):
    A = 1


@dataclass
class Bound:
    x: int


AnyBound = TypeVar("AnyBound", bound=Bound)
LeafId = NewType("LeafId", Leaf)

HERE = "tests.serialization.test_registry"


def by_union(value: int | Branch | None) -> None: ...
def by_result(value: int) -> dict[str, list[tuple[Leaf, ...]]]: ...  # type: ignore[empty-body]
def by_literal(value: Literal[Kind.A]) -> None: ...
def by_alias(value: LeafId) -> None: ...
def by_variable(value: AnyBound) -> AnyBound: ...
def by_callable(value: Callable[[Leaf], Branch]) -> None: ...
def by_generic(value: samples.Page[Leaf]) -> None: ...
def by_arguments(*values: Leaf, **named: Kind) -> None: ...
def by_type_checking(value: Missing, other: Leaf) -> Missing: ...
def by_later(value: Later, other: Leaf) -> None: ...  # noqa: F821 - a test defines it


class Service:
    def method(self, value: Leaf) -> None: ...

    @classmethod
    def of_class(cls, value: Leaf) -> None: ...

    @staticmethod
    def of_static(value: Leaf) -> None: ...


@pytest.mark.parametrize(
    ("fn", "names"),
    [
        (by_union, ["Branch", "Leaf"]),
        (by_result, ["Leaf"]),
        (by_literal, ["Kind"]),
        (by_alias, ["Leaf"]),
        (by_variable, ["Bound"]),
        (by_callable, ["Leaf", "Branch"]),
        (by_generic, ["Leaf"]),
        (by_arguments, ["Leaf", "Kind"]),
        (by_type_checking, ["Leaf"]),
        (by_later, ["Leaf"]),
        (Service.method, ["Leaf"]),
        (Service().method, ["Leaf"]),
        (Service.of_class, ["Leaf"]),
        (Service.__dict__["of_class"], ["Leaf"]),
        (Service.__dict__["of_static"], ["Leaf"]),
    ],
)
def test_types_named_in_annotations_become_known(fn: Any, names: list[str]) -> None:
    """Through generics, unions, aliases and fields; what cannot be resolved hides nothing else."""
    registry = TypeRegistry()
    registry.learn(fn)
    for name in names:
        tp = registry.resolve(f"{HERE}:{name}")
        assert tp is globals()[name]
        assert registry.name_of(tp) == f"{HERE}:{name}"


def test_an_annotation_is_looked_at_again_until_it_can_be_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function may be decorated before the class that it names is defined."""
    registry = TypeRegistry()
    registry.learn(by_later)
    assert registry.resolve(f"{HERE}:Later") is None
    later = types.new_class("Later")
    later.__module__ = HERE
    monkeypatch.setitem(by_later.__globals__, "Later", later)
    assert registry.resolve(f"{HERE}:Later") is later


def test_a_generic_model_is_named_with_its_arguments() -> None:
    """`Page[Item]` and `Page[Leaf]` are two types."""
    registry = TypeRegistry()
    registry.learn(by_generic)
    page = samples.Page[Leaf]
    name = registry.name_of(page)
    assert name == f"tests.serialization.samples:Page[{HERE}:Leaf]"
    assert registry.resolve(name) is page
    assert registry.name_of(samples.Page[samples.Item]) is None


def test_a_type_can_be_registered_with_its_fields() -> None:
    """For types that no annotation names."""
    registry = TypeRegistry()
    registry.register(Branch)
    assert registry.resolve(f"{HERE}:Leaf") is Leaf
    with pytest.raises(errors.UsageError, match="takes a class"):
        registry.register(5)


def test_unknown_names_are_unknown() -> None:
    """Nothing is imported and nothing of a module is taken because a name asks for it."""
    registry = TypeRegistry()
    for name in ("os:system", "builtins:eval", "builtins:int", "", ":", "a", f"{HERE}:Leaf"):
        assert registry.resolve(name) is None
    assert "this_module_is_not_there" not in sys.modules


def test_functions_are_named_by_module_and_qualname() -> None:
    """Methods of all kinds too."""
    assert name_of_function(by_union) == f"{HERE}:by_union"
    for fn in (Service.method, Service().method):
        assert name_of_function(fn) == f"{HERE}:Service.method"
    assert name_of_function(Service.of_class) == f"{HERE}:Service.of_class"
    assert name_of_function(Service.__dict__["of_static"]) == f"{HERE}:Service.of_static"


def test_a_function_that_no_fresh_process_could_find_is_refused() -> None:
    """Local functions and lambdas need a name of their own."""

    def local() -> None: ...

    for fn in (local, lambda: None):
        with pytest.raises(errors.UsageError, match="give it a name of its own: name=…"):
            name_of_function(fn)
    with pytest.raises(errors.UsageError, match="has no name"):
        name_of_function(5)


def test_the_main_script_is_known_by_its_import_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Run as a script, with `python -m`, and in a spawned child, one file has one name."""
    script = types.ModuleType("__main__")
    script.__file__ = str(tmp_path / "shop" / "app.py")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "shop"), str(tmp_path / "elsewhere")])
    for name in ("__main__", "__mp_main__"):
        monkeypatch.setitem(sys.modules, name, script)
        assert module_name(name) == "app"
    script.__file__ = str(tmp_path / "shop" / "desk.py")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "shop"), str(tmp_path)])
    assert module_name("__main__") == "shop.desk"
    script.__spec__ = types.SimpleNamespace(name="shop.app")  # type: ignore[assignment]
    assert module_name("__main__") == "shop.app"
    assert module_name("other.module") == "other.module"
