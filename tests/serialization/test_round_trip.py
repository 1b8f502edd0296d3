"""What is accepted comes back equal and of the same type, at every level."""

from __future__ import annotations

import datetime as dt
import functools
import math
import sys
from collections import OrderedDict
from dataclasses import InitVar, dataclass, field
from typing import Any

import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perdure import errors
from perdure._core.serialization import PickleCodec, Serializer, TypeRegistry, ZlibCodec
from perdure._core.serialization.codecs import JsonCodec
from perdure._core.serialization.sameness import same
from tests.serialization import samples
from tests.serialization.samples import make_serializer

serializer = make_serializer()
many = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@many
@given(samples.values)
def test_a_value_comes_back_equal_and_of_the_same_type(value: Any) -> None:
    """For nested values of every supported type; what a later process loads is what was seen live."""
    stored, live = serializer.accept(value, what="it")
    assert same(value, live)
    assert same(live, make_serializer().load(stored))


@many
@given(samples.values)
def test_the_text_can_be_stored_everywhere(value: Any) -> None:
    """No NUL, no lone surrogate, raw or as an escape that `jsonb` would refuse."""
    text = serializer.accept(value, what="it")[0].text
    text.encode()
    assert "\0" not in text
    unescaped = text.replace("\\\\", "")
    assert "\\u0000" not in unescaped
    assert "\\ud8" not in unescaped


@many
@given(samples.values, samples.values)
def test_two_values_share_a_text_only_if_they_are_the_same(left: Any, right: Any) -> None:
    """The encoding is one to one, but for the order of sets."""
    texts = [serializer.accept(value, what="it")[0].text for value in (left, right)]
    if texts[0] == texts[1]:
        assert same(left, right)


@many
@given(st.lists(samples.values, max_size=3), st.dictionaries(st.text(), samples.values, max_size=3))
def test_arguments_come_back(args: list[Any], kwargs: dict[str, Any]) -> None:
    """Positional and keyword arguments, live and loaded."""
    stored, live_args, live_kwargs = serializer.accept_arguments(tuple(args), kwargs, what="it")
    assert same((tuple(args), kwargs), (live_args, live_kwargs))
    assert same((live_args, live_kwargs), serializer.load_arguments(stored))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (1, "1"),
        (1.5, "1.5"),
        ("é", '"é"'),
        ([1, {"a": None}], '[1,{"a":null}]'),
        ((1,), '{"$tuple":[1]}'),
        ({3, 1, 2}, '{"$set":[1,2,3]}'),
        ({"$set": 1}, '{"$dict":[["$set",1]]}'),
        ({1: 2}, '{"$dict":[[1,2]]}'),
        (2**64, '{"$int":"0x10000000000000000"}'),
        (math.inf, '{"$float":"inf"}'),
        (b"ab", '{"$bytes":"YWI="}'),
        (dt.datetime(2024, 1, 2, tzinfo=dt.UTC), '{"$datetime":"2024-01-02T00:00:00+00:00"}'),
        (
            samples.Colour.RED,
            '{"$types":[{"tests.serialization.samples:Colour":"44fa0823"},'
            '{"$enum":["tests.serialization.samples:Colour","RED"]}]}',
        ),
        (
            samples.Tag("x"),
            '{"$types":[{"tests.serialization.samples:Tag":"dd5ac798"},'
            '{"$attrs":["tests.serialization.samples:Tag",{"label":"x"}]}]}',
        ),
    ],
)
def test_the_text_is_readable_and_does_not_change(value: Any, text: str) -> None:
    """Stored data outlives the version that wrote it: these texts are a promise."""
    assert serializer.accept(value, what="it")[0].text == text
    assert same(serializer.load(serializer.accept(value, what="it")[0]), value)


@pytest.mark.parametrize(
    ("args", "kwargs", "text"),
    [
        ((1, "a"), {}, '[1,"a"]'),
        ((), {"a": 1}, '{"a":1}'),
        ((), {}, "[]"),
        ((1,), {"a": [2]}, '{"$tuple":[[1],{"a":[2]}]}'),
        ((1,), {"a": 2}, '{"$tuple":[[1],{"a":2}]}'),
        ((), {"$set": []}, '{"$dict":[["$set",[]]]}'),
        ((), {"$set": 1}, '{"$dict":[["$set",1]]}'),
    ],
)
def test_arguments_can_be_written_by_hand(args: tuple[Any, ...], kwargs: dict[str, Any], text: str) -> None:
    """A list is positional, an object by keyword: what people insert with plain SQL."""
    assert serializer.accept_arguments(args, kwargs, what="it")[0].text == text
    assert serializer.accept_arguments(args, kwargs, what="it")[0].text == text


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (1, 1.0),
        (0.0, -0.0),
        ((1,), [1]),
        ({1}, frozenset({1})),
        ({1}, {True}),
        ({"a": 1}, OrderedDict(a=1)),
        (samples.Level.LOW, 1),
        ("fast", samples.Mode.FAST),
        (b"a", bytearray(b"a")),
        (samples.EXACT_NUMBERS[0], samples.EXACT_NUMBERS[1]),
        (range(0, 3, 2), range(0, 4, 2)),
        (dt.datetime(2024, 1, 1, fold=0), dt.datetime(2024, 1, 1, fold=1)),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
        (samples.Point(1), samples.Point(True)),
    ],
)
def test_what_python_calls_equal_is_told_apart(left: Any, right: Any) -> None:
    """The comparison sees types, signs and order, inside containers too."""
    assert not same(left, right)
    assert not same([left], [right])
    assert same(left, left)
    assert serializer.accept(left, what="it")[0].text != serializer.accept(right, what="it")[0].text


def test_the_live_value_is_a_copy() -> None:
    """The workflow gets the decoded value: a later change by the step's leftover thread is not seen."""
    given_list = [1, [2]]
    _, live = serializer.accept(given_list, what="it")
    given_list[1].append(3)  # type: ignore[attr-defined]
    assert live == [1, [2]]


def test_shared_parts_come_back_as_equal_separate_ones() -> None:
    """The stated rule for identity: it is not kept, live and on replay alike."""
    part: list[int] = []
    _, live = serializer.accept([part, part], what="it")
    assert live == [[], []]
    assert live[0] is not live[1]


def test_no_code_of_a_class_runs_when_its_values_are_read() -> None:
    """A value is its fields: neither `__init__` nor `__post_init__` nor a validator may change it, or act."""
    invoice = samples.Invoice(lines=[])
    invoice.total = 99
    assert serializer.accept(invoice, what="it")[1].total == 99


def test_computed_values_and_type_arguments_do_not_count_as_fields() -> None:
    """A cached property can be computed again; `Box[int](1)` leaves a mark of typing's on the instance."""

    @dataclass
    class Sum:
        a: int

        @functools.cached_property
        def double(self) -> int:
            return self.a * 2

    registry = TypeRegistry()
    registry.register(Sum)
    one = Sum(1)
    assert one.double == 2
    assert Serializer(registry).accept(one, what="it")[1] == one
    assert serializer.accept(samples.Box[int](1), what="it")[1] == samples.Box(1)


def test_init_only_variables_do_not_matter_to_the_fields() -> None:
    """An `InitVar` is used up by `__post_init__`; what it left in the fields comes back."""

    @dataclass
    class Scaled:
        size: int = field(init=False)
        factor: InitVar[int] = 1

        def __post_init__(self, factor: int) -> None:
            self.size = factor * 10

    registry = TypeRegistry()
    registry.register(Scaled)
    assert Serializer(registry).accept(Scaled(3), what="it")[1].size == 30


def test_a_field_that_was_added_since_gets_its_default() -> None:
    """A class may grow while runs of it are under way; without a default the row waits for the mend."""
    text = '{"$dataclass":["tests.serialization.samples:Point",{"x":1}]}'
    stored = errors_free(text)
    assert serializer.load(stored) == samples.Point(1, 0)
    with pytest.raises(errors.SerializationError, match="lacks the field 'x'"):
        serializer.load(errors_free('{"$dataclass":["tests.serialization.samples:Point",{}]}'))
    with pytest.raises(errors.SerializationError, match="has the field 'z', which Point has no more"):
        serializer.load(errors_free('{"$dataclass":["tests.serialization.samples:Point",{"x":1,"z":1}]}'))


def errors_free(text: str) -> Any:
    """A stored text, as a row has it."""
    return type(serializer.accept(None, what="it")[0])("json", text)


def test_pydantic_zones_and_private_values_come_back() -> None:
    """A datetime that pydantic has parsed carries pydantic's own zone; private and unset fields are kept."""

    class Event(pydantic.BaseModel):
        at: dt.datetime
        _count: int = pydantic.PrivateAttr(default=0)

    registry = TypeRegistry()
    registry.register(Event)
    event = Event(at="2024-01-01T00:00:00+02:00")  # type: ignore[arg-type]
    event._count = 5
    back = Serializer(registry).accept(event, what="it")[1]
    assert back == event
    assert type(back.at.tzinfo) is type(event.at.tzinfo)
    assert back._count == 5
    assert back.model_fields_set == {"at"}


@pytest.mark.parametrize("codec", [PickleCodec(), ZlibCodec(JsonCodec()), ZlibCodec(PickleCodec())])
@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(value=samples.frozen)
def test_other_codecs_keep_the_same_promise(codec: Any, value: Any) -> None:
    """Compression wraps; pickle works for those who name it; errors and arguments go the same way."""
    other = make_serializer(codec=codec)
    stored, live = other.accept([value], what="it")
    assert stored.codec == codec.name
    assert same([value], live)
    assert same(live, other.load(stored))
    assert same(other.load_arguments(other.accept_arguments((value,), {"a": 1}, what="it")[0]), ((value,), {"a": 1}))
    error = other.load_error(other.dump_error(ValueError("x")))
    assert (type(error), error.args) == (ValueError, ("x",))


def test_what_another_codec_has_stored_is_read_if_that_runs_no_code_or_is_named() -> None:
    """Changing the codec leaves what was stored before readable; one that is not read is named."""
    stored = serializer.accept([1], what="it")[0]
    assert make_serializer(codec=ZlibCodec(JsonCodec())).load(stored) == [1]
    packed = make_serializer(codec=ZlibCodec(JsonCodec())).accept([1], what="it")[0]
    assert serializer.load(packed) == [1]
    pickled = make_serializer(codec=PickleCodec()).accept([1], what="it")[0]
    assert make_serializer(readable=[PickleCodec()]).load(pickled) == [1]
    with pytest.raises(errors.SerializationError, match="'pickle', which this process was not given"):
        serializer.load(pickled)


def test_deep_values_come_back_from_a_deep_stack() -> None:
    """What was accepted can be read where little of the stack is left."""
    value: Any = 1
    for _ in range(140):
        value = [value]
    stored, _ = serializer.accept(value, what="it")

    def sink(levels: int) -> Any:
        return serializer.load(stored) if levels == 0 else sink(levels - 1)

    assert sink(sys.getrecursionlimit() // 3) == value


def test_an_integer_of_any_length_comes_back() -> None:
    """Also one beyond Python's limit for decimal digits."""
    huge = 10**50_000
    assert serializer.accept([huge, -huge], what="it")[1] == [huge, -huge]
