"""Values whose classes were declared otherwise when they were stored: read as ever, upcast, or refused with a mend."""

from __future__ import annotations

import datetime as dt
import enum
import typing
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple, NewType, Optional

import attrs
import msgspec
import pydantic
import pytest

from perdure import errors
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._core.serialization.declared import digest_of, type_text
from perdure._core.serialization.fitting import misfit_of

HERE = "tests.serialization.test_older_values"
Change = Callable[[TypeRegistry], None]


def declared(name: str, base: Any, fields: dict[str, Any], **namespace: Any) -> type:
    """A class of this name that has these fields; a pair is a type and a default."""
    body = {"__module__": HERE, "__qualname__": name, "__annotations__": {}} | namespace
    for field_name, declared_as in fields.items():
        body["__annotations__"][field_name], *default = declared_as if type(declared_as) is tuple else (declared_as,)
        if default:
            body[field_name] = default[0]
    if base is NamedTuple:
        made: Any = typing.NamedTuple(name, [*body["__annotations__"].items()])
        made.__module__ = HERE
        return made
    return type(base)(name, (base,), body) if base is not object else type(name, (object,), body)


def as_dataclass(name: str, /, **fields: Any) -> type:
    return dataclass(declared(name, object, fields))


def as_attrs(name: str, /, **fields: Any) -> type:
    return attrs.define(declared(name, object, fields), slots=False)


def as_struct(name: str, /, **fields: Any) -> type:
    return declared(name, msgspec.Struct, fields)


def as_model(name: str, /, **fields: Any) -> type:
    return declared(name, pydantic.BaseModel, fields)


KINDS = [as_dataclass, as_attrs, as_struct, as_model]


def stored_by(cls: type, value: Any, **options: Any) -> Any:
    """How a process with this class stores the value."""
    registry = TypeRegistry()
    registry.register(cls, **options)
    return Serializer(registry).accept(value, what="it")[0]


def read_by(cls: type, stored: Any, **options: Any) -> Any:
    """What a process with this class makes of it."""
    registry = TypeRegistry()
    registry.register(cls, **options)
    return Serializer(registry).load(stored)


def test_plain_values_carry_nothing() -> None:
    """A text without typed values is the same as ever; with them the classes are named once for all of it."""
    serializer = Serializer(TypeRegistry())
    for value in (1, "a", [1, 2], {"a": dt.date(2024, 1, 1)}, (1, Decimal(1))):
        assert "$types" not in serializer.accept(value, what="it")[0].text
    cls: Any = as_dataclass("Item", a=int)
    stored = stored_by(cls, [cls(n) for n in range(5_000)])
    assert stored.text.startswith(f'{{"$types":[{{"{HERE}:Item":"{digest_of(cls)}"}},[{{"$dataclass":[')
    assert stored.text.count("$types") == 1
    assert read_by(cls, stored) == [cls(n) for n in range(5_000)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 7])
def test_a_field_with_a_default_and_a_wider_type_are_read_as_ever(kind: Any, count: int) -> None:
    """Alone and many at once."""
    old = kind("Item", a=int, b=str)
    new = kind("Item", a=float | None, b=str | bytes, c=(int, 7))
    read = read_by(new, stored_by(old, [old(a=n, b="x") for n in range(count)]))
    assert [(item.a, item.b, item.c) for item in read] == [(n, "x", 7) for n in range(count)]
    assert {type(item) for item in read} == {new}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"a": str}, "its field 'a' holds int where str belongs"),
        ({"a": list[int]}, r"its field 'a' holds int where list\[int\] belongs"),
        ({}, "has the field 'a', which Item has no more"),
        ({"a": int, "c": int}, "lacks the field 'c', which Item has now without a default"),
    ],
)
def test_what_does_not_fit_is_said_with_the_mend(kind: Any, fields: dict[str, Any], reason: str) -> None:
    """Which value, which field, what is wrong with it, and how old values become new ones."""
    old, new = kind("Item", a=int), kind("Item", **fields)
    with pytest.raises(errors.SerializationError, match=reason) as raised:
        read_by(new, stored_by(old, {"items": [old(a=1), old(a=2)]}))
    assert raised.value.path == "$.items[0]"
    assert f"was stored when {HERE}:Item was declared otherwise ({digest_of(old)}, now {digest_of(new)})" in str(
        raised.value
    )
    assert "perdure.register(Item, version=2, upcasters={1: …})" in str(raised.value)


def test_what_did_not_fit_when_it_was_stored_is_read_by_the_same_class() -> None:
    """Annotations are no checks: only of a class that has changed more is asked."""
    cls: Any = as_dataclass("Item", a=int)
    assert read_by(as_dataclass("Item", a=int), stored_by(cls, cls("text"))).a == "text"
    with_default = as_dataclass("Item", a=(int, None), b=(int, 1))
    assert read_by(with_default, stored_by(cls, cls(None))).a is None


def first_to_second(old: dict[str, Any]) -> dict[str, Any]:
    return {"cents": int(old["total"] * 100)}


def second_to_third(old: dict[str, Any]) -> dict[str, Any]:
    old["money"] = f"{old.pop('cents')} EUR"
    return old


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1, 7])
def test_upcasters_lead_from_version_to_version(kind: Any, count: int) -> None:
    """1 → 2 → 3, and 2 → 3; the values of the last version are let be."""
    first, second = kind("Bill", total=float), kind("Bill", cents=int)
    third = kind("Bill", money=str, note=(str, ""))
    versions: dict[str, Any] = {"version": 3, "upcasters": {1: first_to_second, 2: second_to_third}}
    for cls, value, own in (
        (first, [first(total=1.5)] * count, {}),
        (second, [second(cents=150)] * count, {"version": 2, "upcasters": {1: first_to_second}}),
        (third, [third(money="150 EUR")] * count, versions),
    ):
        read = read_by(third, stored_by(cls, value, **own), **versions)
        assert [(type(bill), bill.money, bill.note) for bill in read] == [(third, "150 EUR", "")] * count


def test_a_newer_version_is_for_newer_processes() -> None:
    """And one to which no upcaster leads waits for that."""
    cls: Any = as_dataclass("Bill", cents=int)
    newer = stored_by(cls, cls(1), version=3)
    with pytest.raises(errors.SerializationError, match=r"as version 3 of .*, and this process has version 1"):
        read_by(cls, newer)
    with pytest.raises(errors.SerializationError, match="nothing leads on from version 3") as raised:
        read_by(cls, newer, version=5, upcasters={1: first_to_second, 4: second_to_third})
    assert "perdure.register(Bill, version=5, upcasters={3: …})" in str(raised.value)


def test_a_faulty_upcaster_is_named() -> None:
    """What it raised and where, or what it gave; never the value."""
    old, new = as_dataclass("Bill", total=float), as_dataclass("Bill", cents=int)
    stored = stored_by(old, old(1.5))
    with pytest.raises(errors.SerializationError, match="raised KeyError in second_to_third, line") as raised:
        read_by(new, stored, version=2, upcasters={1: second_to_third})
    assert isinstance(raised.value.__cause__, KeyError)
    with pytest.raises(errors.SerializationError, match="gave NoneType where the fields belong, as a dict"):
        read_by(new, stored, version=2, upcasters={1: lambda old: None})
    with pytest.raises(errors.SerializationError, match="its field 'cents' holds str where int belongs"):
        read_by(new, stored, version=2, upcasters={1: lambda old: {"cents": "1"}})


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def test_members_subclasses_and_registered_types_are_upcast() -> None:
    """Of an enum the name, of a subclass the builtin, of a registered type what `encode` gave."""
    new_colour = enum.Enum("Colour", {"CRIMSON": 1, "BLUE": 2}, module=HERE)
    stored = stored_by(Colour, [Colour.RED, Colour.BLUE])
    with pytest.raises(errors.SerializationError, match="names a member that Colour does not have") as raised:
        read_by(new_colour, stored)
    assert "upcasters={1: …}" in str(raised.value)
    renamed = {"version": 2, "upcasters": {1: lambda name: "CRIMSON" if name == "RED" else name}}
    assert read_by(new_colour, stored, **renamed) == [new_colour.CRIMSON, new_colour.BLUE]
    made = {"version": 2, "upcasters": {1: lambda name: new_colour.CRIMSON}}
    assert read_by(new_colour, stored, **made) == [new_colour.CRIMSON] * 2

    tags_type = type("Tags", (list,), {"__module__": HERE, "__qualname__": "Tags"})
    upper = {"version": 2, "upcasters": {1: lambda tags: [tag.upper() for tag in tags]}}
    assert read_by(tags_type, stored_by(tags_type, tags_type(["a"])), **upper) == tags_type(["A"])

    class Matrix:
        def __init__(self, rows: Any) -> None:
            self.rows = rows

    codes: dict[str, Any] = {"encode": lambda matrix: matrix.rows, "decode": Matrix}
    stored = stored_by(Matrix, Matrix([1]), **codes)
    assert "$types" not in stored.text
    assert read_by(Matrix, stored, **codes, version=2, upcasters={1: lambda rows: {"rows": rows}}).rows == {"rows": [1]}


def test_values_inside_are_made_first_and_classes_that_are_gone_are_dicts() -> None:
    """An upcaster gets what was nested as it is now; what has no class any more as plain data."""
    line: Any = as_dataclass("Line", price=Decimal)
    customer: Any = as_dataclass("Customer", name=str)
    bill: Any = as_dataclass("Bill", lines=list[line], customer=customer)
    registry = TypeRegistry()
    for cls in (line, customer, bill):
        registry.register(cls)
    stored, _ = Serializer(registry).accept(bill([line(Decimal(1))] * 5, customer("Ada")), what="it")
    new_line: Any = as_dataclass("Line", price=Decimal, count=(int, 1))
    new_bill: Any = as_dataclass("Bill", lines=list[new_line], customer=str)
    registry = TypeRegistry()
    registry.register(new_line)
    registry.register(new_bill, version=2, upcasters={1: lambda old: old | {"customer": old["customer"]["name"]}})
    assert Serializer(registry).load(stored) == new_bill([new_line(Decimal(1), 1)] * 5, "Ada")


def test_aliases_and_versions_go_together() -> None:
    """A class that was renamed, moved and changed is found by its old name, and read by both."""
    customer: Any = as_dataclass("Customer", name=str)
    client: Any = as_dataclass("Client", first=str, last=str)
    options: dict[str, Any] = {
        "aliases": [f"{HERE}:Customer"],
        "version": 2,
        "upcasters": {1: lambda old: dict(zip(("first", "last"), old["name"].split(), strict=True))},
    }
    assert read_by(client, stored_by(customer, customer("Ada Byron")), **options) == client("Ada", "Byron")
    again = stored_by(client, client("Ada", "Byron"), **options)
    assert f'"{HERE}:Customer":"2:' in again.text
    assert read_by(client, again, **options) == client("Ada", "Byron")
    with pytest.raises(errors.SerializationError, match="this process has version 1"):
        read_by(customer, again)


@pytest.mark.parametrize("after", KINDS)
@pytest.mark.parametrize("before", KINDS)
def test_a_class_may_become_one_of_another_kind(before: Any, after: Any) -> None:
    """A dataclass becomes a model, say: its fields are what they were."""
    old, new = before("Item", a=int), after("Item", a=int, b=(str, "x"))
    read = read_by(new, stored_by(old, [old(a=1)] * 5))
    assert [(type(item), item.a, item.b) for item in read] == [(new, 1, "x")] * 5


def test_what_a_model_knows_of_its_fields_is_kept() -> None:
    """Which were set, extra ones and private ones."""

    class Item(pydantic.BaseModel, extra="allow"):
        a: int = 0
        b: int = 0
        _c: int = pydantic.PrivateAttr(1)

    old_item = Item
    old_item.__module__, old_item.__qualname__ = HERE, "Item"
    value = old_item.model_validate({"a": 1, "more": 2})
    value._c = 3

    class Item(pydantic.BaseModel, extra="allow"):  # type: ignore[no-redef]  # the later version of it
        a: int = 0
        text: str = ""
        _c: int = pydantic.PrivateAttr(1)

    Item.__module__, Item.__qualname__ = HERE, "Item"

    def upcaster(old: dict[str, Any]) -> dict[str, Any]:
        assert old == {"a": 1, "b": 0, "more": 2}
        return {"a": old["a"], "text": str(old["b"]), "more": old["more"]}

    read = read_by(Item, stored_by(old_item, value), version=2, upcasters={1: upcaster})
    assert (read.a, read.text, read.more, read._c) == (1, "0", 2, 3)  # type: ignore[attr-defined]
    assert read.model_fields_set == {"a", "text", "more"}


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"version": 0}, "a whole number from 1 on"),
        ({"version": True}, "a whole number from 1 on"),
        ({"version": "2"}, "a whole number from 1 on"),
        ({"version": 2, "upcasters": [1]}, "a dict such as"),
        ({"version": 2, "upcasters": {2: str}}, "no version before version=2"),
        ({"upcasters": {1: str}}, "no version before version=1"),
        ({"version": 2, "upcasters": {1: "f"}}, r"upcasters\[1\] is no plain function"),
    ],
)
def test_versions_that_cannot_be_are_refused(options: dict[str, Any], match: str) -> None:
    """Where they are given, and nothing of it is kept."""
    registry = TypeRegistry()
    with pytest.raises(errors.UsageError, match=match):
        registry.register(Colour, **options)
    assert registry.name_of(Colour) is None
    with pytest.raises(errors.UsageError, match="for a class of yours"):
        registry.register(int, version=2)


def typed_dict(**keys: Any) -> Any:
    """A TypedDict of the same name, whatever keys it has."""
    made: Any = typing.TypedDict("Total", keys)  # type: ignore[operator]  # computed
    made.__module__ = HERE
    return made


@pytest.mark.parametrize("kind", KINDS)
def test_a_typed_dict_in_a_field_has_changed_where_its_keys_have(kind: Any) -> None:
    """Its values are plain dicts: the class that they stand in says how they were declared."""
    old, new = typed_dict(amount=float), typed_dict(cents=int)
    was, now = kind("Item", a=list[old]), kind("Item", a=list[new])
    assert digest_of(was) != digest_of(now)
    stored = stored_by(was, was(a=[{"amount": 1.5}]))
    with pytest.raises(errors.SerializationError, match=r"its field 'a' in \[0\] lacks the key 'cents'"):
        read_by(now, stored)
    read = read_by(now, stored, version=2, upcasters={1: lambda was: {"a": [{"cents": 150} for _ in was["a"]]}})
    assert read.a == [{"cents": 150}]
    assert read_by(kind("Item", a=list[typed_dict(amount=float | None)]), stored).a == [{"amount": 1.5}]


def test_a_bare_typed_dict_is_a_dict() -> None:
    """It is read as it was, and can have no version."""
    registry = TypeRegistry()
    stored = Serializer(registry).accept({"amount": 1.5}, what="it")[0]
    assert stored.text == '{"amount":1.5}'
    assert read_by(typed_dict(cents=int), stored) == {"amount": 1.5}
    for options in ({"version": 2}, {"aliases": ["a:B"]}, {"encode": dict, "decode": dict}):
        with pytest.raises(errors.UsageError, match="values of a TypedDict are plain dicts"):
            registry.register(typed_dict(cents=int), **options)  # type: ignore[arg-type]


UserId = NewType("UserId", int)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Optional[int], int | None),  # noqa: UP045 - that is what is compared
        (typing.Union[str, int], int | str),  # noqa: UP007
        (typing.List[int], list[int]),  # noqa: UP006 - that is what is compared
        (typing.Dict[str, typing.Any], dict[str, Any]),  # noqa: UP006
        (typing.Annotated[int, "a"], int),
        (UserId, int),
        (Literal["b", "a"], Literal["a", "b"]),
    ],
)
def test_what_means_the_same_reads_the_same(one: Any, other: Any) -> None:
    """However it is written: a digest differs only where the declaration does."""
    assert type_text(one) == type_text(other)


class Order(typing.TypedDict):
    id: int
    note: typing.NotRequired[str]


@pytest.mark.parametrize(
    ("value", "annotation", "misfit"),
    [
        (True, int, None),
        (1, float, None),
        (1.0, int, "holds float where int belongs"),
        ([1, "a"], list[int], "in [1] holds str where int belongs"),
        ({"a": {"b": None}}, dict[str, dict[str, int]], "in .a in .b holds NoneType where int belongs"),
        ({1: 2}, dict[str, int], "in a key holds int where str belongs"),
        ((1, "a"), tuple[int, str], None),
        ((1, 2), tuple[int, ...], None),
        ((1,), tuple[int, int], "holds a tuple of 1 where one of 2 belongs"),
        ("a", Literal["a", "b"], None),
        ("c", Literal["a", "b"], "holds another value than one of Literal['a','b']"),
        ("secret", int | None, "holds str where None|int belongs"),
        ({"id": 1}, Order, None),
        ({"note": "a"}, Order, "lacks the key 'id', which Order has now"),
        ({"id": 1, "more": 1}, Order, "has the key 'more', which Order has no more"),
        ({"id": "1"}, Order, "in .id holds str where int belongs"),
        (1, Any, None),
        (1, "unresolved", None),
        (1, typing.SupportsInt, None),
        (1, typing.TypeVar("T"), None),
        ("https://example.org", pydantic.HttpUrl, None),
        ("no address", pydantic.HttpUrl, "holds str where pydantic.networks:HttpUrl belongs"),
    ],
)
def test_whether_a_value_fits(value: Any, annotation: Any, misfit: str | None) -> None:
    """Only what is surely wrong is said, and never the value."""
    assert misfit_of(value, annotation) == misfit


def test_hostile_heads_are_refused() -> None:
    """A head that says what none can: an error of ours, and nothing else."""
    serializer = Serializer(TypeRegistry())
    for head in ('{"a":1}', "[]", '{"a":"x:y"}', '{"a":"-:"}', "{}"):
        for body in ('{"$dataclass":["a",{}]}', '{"$set":[1,1]}', "{", '{"$types":[{},1]}'):
            with pytest.raises(errors.SerializationError):
                serializer.load(type(stored_by(Colour, 1))("json", f'{{"$types":[{head},{body}]}}'))
