"""What cannot be stored is refused at once, naming what, the path inside it and the mend; and never its content."""

from __future__ import annotations

import collections
import enum
import functools
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pydantic
import pytest

from perdure import errors
from perdure._core.serialization import Serializer, TypeRegistry
from tests.serialization.samples import Invoice, Point, make_serializer

WHAT = "step 'shop:fetch', its result"
serializer = make_serializer()


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Plain:
    pass


class Called:
    """As parsed pages and models of machine learning: called or not, it is no function."""

    def __call__(self) -> None:
        """Nothing."""


@dataclass
class Unknown:
    x: int


class UnknownKind(enum.Enum):
    ONE = 1


class UnknownError(Exception):
    pass


def numbers() -> Iterator[int]:
    yield 1


def local_error() -> Exception:
    class LocalError(Exception):
        pass

    return LocalError("hunter2")


REFUSED = [
    (lambda: lambda: 1, "function", "pass its name"),
    (lambda: numbers, "function", "pass its name"),
    (lambda: functools.partial(numbers), "partial", "pass its name"),
    (lambda: functools.lru_cache(numbers), "lru_cache_wrapper", "pass its name"),
    (lambda: [].append, "builtin_function", "pass its name"),
    (lambda: Called(), "Called", "pass what it is made from"),
    (lambda: numbers(), "generator", "make a list of it"),
    (lambda: Point, "class", "pass its name"),
    (lambda: Path, "class", "pass its name"),
    (lambda: collections, "builtins:module", "pass what it is made from"),
    (lambda: object(), "builtins:object", "pass what it is made from"),
    (lambda: Plain(), "Plain", "pass what it is made from"),
    (lambda: threading.Lock(), "lock", "pass what it is made from"),
    (lambda: memoryview(b"a"), "memoryview", "pass what it is made from"),
    (lambda: collections.defaultdict(lambda: 1), "defaultdict", r"dict\(…\)"),
    (lambda: Text("hunter2"), "Text", r"str\(…\)"),
    (lambda: Number(3), "Number", r"int\(…\)"),
    (lambda: pydantic.SecretStr("hunter2"), "SecretStr", "pass its name"),
    (lambda: Unknown(1), "Unknown", r"call perdure.register\(Unknown\)"),
    (lambda: UnknownKind.ONE, "UnknownKind", r"call perdure.register\(UnknownKind\)"),
    (local_error, "LocalError", r"call perdure.register\(LocalError\)"),
    (lambda: ValueError(object()), "builtins:object", "pass what it is made from"),
]


@dataclass
class Inside:
    lock: Any
    private: int = 1


@dataclass
class Reply:
    """As clients of services give them: what one wants, and what it has come by."""

    output: str
    usage: dict[str, int]
    _state: Any
    _private: int = 1


def replies() -> list[Any]:
    return [Reply("hunter2", {"tokens": 3}, Inside(threading.Lock()))]


def test_what_holds_a_lock_is_refused_with_what_of_it_can_be_stored() -> None:
    """To make its class known would lead to the next error: known or not, the advice is the same."""
    said = (
        r"\$\[0\] is of type .*:Reply, which cannot be stored: its _state.lock is of type _thread:lock; give what is "
    )
    said += r"needed of Reply in its place: \.output, \.usage can be stored$"
    registry = TypeRegistry()
    with pytest.raises(errors.SerializationError, match=said) as caught:
        Serializer(registry).accept(replies(), what=WHAT)
    assert caught.value.path == "$[0]"
    registry.register(Reply)
    with pytest.raises(errors.SerializationError, match=said):
        Serializer(registry).accept(replies(), what=WHAT)
    registry.register(Inside)
    with pytest.raises(
        errors.SerializationError, match=r"_state\.lock is of type .* cannot be stored; .*; or give what"
    ) as e:
        Serializer(registry).accept(replies(), what=WHAT)
    assert e.value.path == "$[0]._state.lock"
    assert "in its place: .output, .usage can be stored" in str(e.value)
    assert "hunter2" not in str(e.value)


@dataclass
class Bare:
    """Nothing of it can be stored."""

    at: Any


def test_all_that_is_missing_is_said_at_once() -> None:
    """To make a class known is not enough where what it holds needs functions, too."""
    said = r"\$\[0\] is of type .*:Bare, which is not known .*register\(Bare\); and its at is of type .*decode=…\)"
    with pytest.raises(errors.SerializationError, match=said) as caught:
        Serializer(TypeRegistry()).accept([Bare(pd.Timestamp(2024, 1, 1))], what=WHAT)
    assert str(caught.value).endswith("or convert it with .to_pydatetime()")


def test_a_refusal_is_told_once() -> None:
    """Not as an error of ours that was caused by another one of ours, which says the same of frames of ours."""
    for value in (object(), time.gmtime(0)):  # the second can be written, and not read
        registry = TypeRegistry()
        registry.register(time.struct_time)
        with pytest.raises(errors.SerializationError) as caught:
            Serializer(registry).accept([value], what=WHAT)
        assert not isinstance(caught.value.__cause__, errors.SerializationError)


def test_what_only_has_to_be_known_is_refused_with_that() -> None:
    """Inside a class that is known, too."""
    registry = TypeRegistry()
    registry.register(Reply)
    with pytest.raises(errors.SerializationError, match=r"\$\._state is of .*perdure.register\(Unknown\)$"):
        Serializer(registry).accept(Reply("a", {}, Unknown(1)), what=WHAT)


def test_the_advice_is_for_the_object_that_a_user_sees() -> None:
    """Not for the whole that it lies in, nor for what lies in a private field of it."""
    registry = TypeRegistry()
    registry.register(Point)
    with pytest.raises(errors.SerializationError, match=r"\$\.x\[0\] is of type .*:Reply, .* of Reply in its place"):
        Serializer(registry).accept(Point(replies()), what=WHAT)


@pytest.mark.parametrize(("make", "kind", "mend"), REFUSED)
def test_a_refused_value_names_what_the_path_and_the_mend(make: Any, kind: str, mend: str) -> None:
    """At the top and deep inside valid values; the content stays out of the message."""
    with pytest.raises(errors.SerializationError, match=mend) as caught:
        serializer.accept({"a": [1, Point((0, make()))]}, what=WHAT)
    assert str(caught.value).startswith(f"{WHAT}: $.a[1].x[1]")
    assert caught.value.path.startswith("$.a[1].x[1]")
    assert kind in str(caught.value)
    assert "hunter2" not in str(caught.value)
    with pytest.raises(errors.SerializationError, match=mend):
        serializer.accept_arguments((make(),), {"k": make()}, what=WHAT)


def test_sockets_and_open_files_are_refused(tmp_path: Path) -> None:
    """The two that people try most."""
    with socket.socket() as connection, (tmp_path / "x").open("w") as file:
        for value in (connection, file):
            with pytest.raises(errors.SerializationError, match="open it inside the step"):
                serializer.accept([value], what=WHAT)


def test_the_path_leads_through_every_container() -> None:
    """Names and integers are shown; other keys may be a secret of somebody."""
    bad = object()
    for value, path in [
        ([[bad]], "$[0][0]"),
        ({"a b": bad}, "$[…]"),
        ({5: bad}, "$[5]"),
        ({"x": {("k", 1): bad}}, "$.x[…]"),
        ((1, bad), "$[1]"),
        (Invoice(lines=[Point(1), Point(bad)]), "$.lines[1].x"),
        ({Point(bad)}, "$[…].x"),
        (KeyError(1, bad), "$.args[1]"),
    ]:
        with pytest.raises(errors.SerializationError) as caught:
            serializer.accept(value, what=WHAT)
        assert caught.value.path == path


@pytest.mark.parametrize("key", [5, ("a", 1), None, "a\0", 1.5], ids=repr)
def test_a_dict_with_any_keys_says_what_is_wrong_in_it(key: Any) -> None:
    """Not that it contains itself, where what it holds cannot be stored."""
    for value in ({key: object()}, {"a": 1, key: [object()]}, [{key: {key: object()}}], {key: Unknown(1)}):
        with pytest.raises(errors.SerializationError, match=r"is of type .*(object|Unknown), which"):
            serializer.accept(value, what=WHAT)
    cycle: dict[Any, Any] = {}
    cycle[key] = cycle
    with pytest.raises(errors.SerializationError, match="contains itself"):
        serializer.accept(cycle, what=WHAT)


def test_a_cycle_is_refused_where_it_closes() -> None:
    """Also through a dataclass, and through two containers."""
    ring: list[Any] = [1]
    ring.append({"again": ring})
    box = Invoice(lines=[])
    box.lines.append(Point(box))
    for value, path in [(ring, "$[1].again"), (box, "$.lines[0].x"), ({"deep": ring}, "$.deep[1].again")]:
        with pytest.raises(errors.SerializationError, match="contains itself") as caught:
            serializer.accept(value, what=WHAT)
        assert caught.value.path == path


def test_a_value_nested_too_deeply_is_refused() -> None:
    """Far below the interpreter's limit, so that reading never meets it; a hundred thousand levels do no harm."""
    for levels in (151, 100_000):
        value: Any = 1
        for _ in range(levels):
            value = [value]
        with pytest.raises(errors.SerializationError, match="more than 150 levels deep"):
            serializer.accept(value, what=WHAT)


def test_a_value_over_the_size_limit_is_refused() -> None:
    """Whether it is one long text, many members, or a small value whose shared parts grow without end."""
    small = make_serializer(max_bytes=1000)
    grown: list[Any] = []
    for _ in range(60):
        grown = [grown, grown]
    for value in ("x" * 1001, "é" * 600, list(range(600)), grown, b"x" * 900):
        with pytest.raises(errors.SerializationError, match="limit") as caught:
            small.accept(value, what=WHAT)
        assert str(caught.value).startswith(WHAT)
    assert small.accept("x" * 998, what=WHAT)[1] == "x" * 998


def test_what_an_instance_carries_beside_its_fields_is_refused_if_it_cannot_be_stored() -> None:
    """Unless it can be stored too: it would be lost without a word."""
    invoice = Invoice(lines=[])
    invoice.note = object()  # type: ignore[attr-defined]
    with pytest.raises(errors.SerializationError, match=r"\$\.note is of type builtins:object"):
        serializer.accept(invoice, what=WHAT)
    unset = Invoice(lines=[])
    del unset.lines
    with pytest.raises(errors.SerializationError, match="field 'lines' is not set"):
        serializer.accept(unset, what=WHAT)


def test_a_class_that_another_of_its_name_has_replaced_is_refused() -> None:
    """After a re-import the old class's values would come back as the new class's."""

    def make() -> type:
        @dataclass
        class Twice:
            x: int

        return Twice

    old, new = make(), make()
    registry = TypeRegistry()
    registry.register(old)
    registry.register(new)
    assert Serializer(registry).accept(new(1), what=WHAT)[1] == new(1)
    with pytest.raises(errors.SerializationError, match=r"\$.a\[0\] is of type .*Twice, and of a class .* made anew"):
        Serializer(registry).accept({"a": [old(1)]}, what=WHAT)


def test_code_of_a_value_that_fails_is_a_refusal() -> None:
    """Whatever a property or a codec of the user's raises comes out as a `SerializationError` with its cause."""

    @dataclass
    class Lazy:
        x: int

        def __getattribute__(self, name: str) -> Any:
            if name == "x":
                raise ZeroDivisionError
            return super().__getattribute__(name)

    class Broken:
        name = "broken"

        def encode(self, value: object, registry: TypeRegistry) -> str:
            raise ZeroDivisionError

        def decode(self, text: str, registry: TypeRegistry) -> object:
            raise ZeroDivisionError

    registry = TypeRegistry()
    registry.register(Lazy)
    with pytest.raises(errors.SerializationError, match="ZeroDivisionError") as caught:
        Serializer(registry).accept(Lazy.__new__(Lazy), what=WHAT)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(errors.SerializationError, match="'broken' failed"):
        Serializer(registry, Broken()).accept(1, what=WHAT)
