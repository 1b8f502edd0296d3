"""What real libraries return: marks, subclasses, generics and types of theirs come back, or a refusal says the mend."""

from __future__ import annotations

import collections
import datetime as dt
import enum
import re
import typing
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

import httpx
import msgspec
import openai
import pydantic
import pytest
from dateutil import tz
from openai.types.chat import ChatCompletion, ParsedChatCompletion

from perdure import errors
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._core.serialization.sameness import Comparison
from perdure._entries import Stored

HERE = "tests.serialization.test_libraries"
FOLDED = dt.datetime(2024, 10, 27, 2, 30, fold=1)
T = TypeVar("T")


class Tags(pydantic.RootModel[list[str]]):
    pass


class Doc(pydantic.BaseModel):
    tags: Tags


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]


class Owner(pydantic.BaseModel):
    pets: list[Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]]


class Aliased(pydantic.BaseModel, frozen=True):
    size: pydantic.ByteSize = pydantic.Field(alias="bytes")

    @pydantic.computed_field  # type: ignore[prop-decorator]  # as pydantic's own pages write it
    @property
    def double(self) -> int:
        return self.size * 2


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]


class Colour:
    """A type that tells pydantic how it is written and validated, as those of pydantic_extra_types do."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Colour) and other.name == self.name

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # only this class needs it

        return core_schema.no_info_plain_validator_function(
            lambda value: value if isinstance(value, cls) else cls(value),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value.name),
        )


class Painted(pydantic.BaseModel):
    colour: Colour


@dataclass
class Shape:
    name: str


@dataclass
class Circle(Shape):
    radius: float


@dataclass
class Call:
    """As pydantic-ai's tool calls: others put a mark on it."""

    name: str


class Slotted:
    __slots__ = ("mark",)


@dataclass
class OnSlots(Slotted):
    name: str


class Point(msgspec.Struct):
    x: int
    y: int = 0


class Sparse(msgspec.Struct):
    x: int | msgspec.UnsetType = msgspec.UNSET


class Optional(pydantic.BaseModel):
    x: int | pydantic.MISSING = pydantic.MISSING  # type: ignore[valid-type]


class Extended(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, int] = pydantic.Field(init=False)
    a: int = 1


class UserId(str):
    __slots__ = ()


class Names(list[str]):
    source: str


class Ordered(collections.OrderedDict[str, int]):
    def __setitem__(self, key: str, value: int) -> None:
        raise AssertionError("reading a value runs no code of its class")


class Groups(collections.defaultdict[str, list[int]]):
    pass


class Moment(dt.datetime):
    pass


class Kind(enum.IntFlag):
    A = 1
    B = 2


def round_trip(value: Any, *types: Any, registry: TypeRegistry | None = None) -> Any:
    """The value as another process would read it, after it was accepted."""
    registries = [TypeRegistry(), TypeRegistry()] if registry is None else [registry, registry]
    for each in registries:
        for tp in types:
            each.register(tp)
    stored, live = Serializer(registries[0]).accept(value, what="it")
    loaded = Serializer(registries[1]).load(stored)
    assert Comparison(registries[0]).one(live, loaded)
    return loaded


def with_attribute(value: Any, **attributes: Any) -> Any:
    for name, member in attributes.items():
        setattr(value, name, member)
    return value


VALUES = [
    (Tags(["a"]), Tags),
    (Doc(tags=Tags(["a"])), Doc),
    (Owner(pets=[Cat(kind="cat"), Dog(kind="dog")] * 4), Owner),
    (Aliased(bytes="1KB"), Aliased),
    ([Cat(kind="cat"), Cat(kind="cat", lives=3)] * 3, Cat),
    (Cat.model_construct(lives="none"), Cat),
    (Cat.model_construct(), Cat),
    (Painted(colour=Colour("red")), Painted),
    (Page[Cat](items=[Cat(kind="cat")]), Page[Cat]),
    (Circle("c", 1.5), Shape),
    ([Circle("c", 1.5), Shape("s")] * 4, Shape),
    (with_attribute(Call("f"), otel_metadata={"a": 1}), Call),
    ([with_attribute(Call("f"), otel_metadata=i) for i in range(8)], Call),
    (with_attribute(OnSlots("f"), mark=1), OnSlots),
    ([with_attribute(OnSlots("f"), mark=i) for i in range(8)], OnSlots),
    ([Point(1), Point(2, 3)] * 4, Point),
    (Sparse(), Sparse),
    ([Sparse(), Sparse(1)] * 4, Sparse),
    (Optional(), Optional),
    ([Optional(), Optional(x=1)] * 4, Optional),
    (Extended(), Extended),
    (Extended(q=1), Extended),
    (Extended.model_construct(), Extended),
    (UserId("u1"), UserId),
    ({UserId("u1"): [UserId("u2")] * 5}, UserId),
    (with_attribute(Names(["a"]), source="web"), Names),
    (Moment(2024, 1, 2, 3, tzinfo=dt.UTC, fold=1), Moment),
    (collections.defaultdict(list, {"a": [1], 2: [3]}), int),
    (collections.defaultdict(None, {}), int),
    (Groups(list, {"a": [1]}), Groups),
    (re.compile("a+", re.IGNORECASE | re.ASCII), int),
    (re.compile(b"\\x00"), int),
    (Kind.A | Kind.B, Kind),
]


@pytest.mark.parametrize(("value", "tp"), VALUES, ids=lambda each: type(each).__name__)
def test_a_value_of_a_known_kind_comes_back(value: Any, tp: Any) -> None:
    """Equal, of the same type, with what else it carries; alone and among others."""
    back = round_trip(value, tp)
    assert type(back) is type(value)
    assert back == value
    assert getattr(back, "__dict__", None) == getattr(value, "__dict__", None)
    assert getattr(back, "mark", None) == getattr(value, "mark", None)
    assert round_trip([value] * 5, tp) == [value] * 5


def test_a_subclass_of_a_dict_is_filled_without_its_own_code() -> None:
    """Neither `__init__` nor `__setitem__` of the class is called."""
    value = Ordered.__new__(Ordered)
    collections.OrderedDict.__setitem__(value, "a", 1)
    assert list(round_trip(value, Ordered).items()) == [("a", 1)]


def test_an_attribute_that_cannot_be_stored_is_refused_with_its_path() -> None:
    """Extra attributes are kept, never dropped without a word."""
    with pytest.raises(errors.SerializationError, match=r"\$\.handle is of type builtins:object"):
        round_trip(with_attribute(Call("f"), handle=object()), Call)


def test_a_secret_is_refused_wherever_it_is() -> None:
    """pydantic would write asterisks in its place."""

    class Login(pydantic.BaseModel):
        word: pydantic.SecretStr

    with pytest.raises(errors.SerializationError, match="secret") as caught:
        round_trip(Login(word="hunter2"), Login)  # type: ignore[arg-type]
    assert "hunter2" not in str(caught.value)


def test_a_local_subclass_is_refused_with_the_reason() -> None:
    """A fresh process could not find it; a subclass that its module holds needs no registration."""

    @dataclass
    class Hidden(Shape):
        pass

    with pytest.raises(errors.SerializationError, match="extends a known type, but its module does not hold it"):
        round_trip(Hidden("h"), Shape)


def test_a_generic_model_is_made_of_known_parts() -> None:
    """`Page[Cat]` is found where `Page` and `Cat` are known, though nothing names it; not with an unknown argument."""
    value = Page[Cat](items=[Cat(kind="cat")])
    assert round_trip(value, Page, Cat) == value
    with pytest.raises(errors.SerializationError, match="not known"):
        round_trip(Page[Shape](items=[]), Page)


@pytest.mark.parametrize(
    "argument",
    [
        list[Cat],
        dict[str, Cat | None],
        Cat | Dog,
        typing.Optional[int],  # noqa: UP045 - as older programs have it
        int | str | None,
        tuple[int, ...],
    ],
    ids=str,
)
def test_the_arguments_of_a_generic_model_are_made_of_known_parts_too(argument: Any) -> None:
    """Containers and unions of classes that are known; not of one that is not."""
    model: Any = Page[argument]
    assert round_trip(model(items=[]), Page, Cat, Dog) == model(items=[])
    with pytest.raises(errors.SerializationError, match=r"perdure\.register\(Page\[list\["):
        round_trip(Page[list[Shape]](items=[]), Page)


def chat(request: httpx.Request) -> httpx.Response:
    """What the service answers."""
    if request.headers.get("x-fail"):
        return httpx.Response(429, json={"error": {"message": "slow down"}}, headers={"retry-after": "3"})
    message = {"role": "assistant", "content": '{"kind":"cat"}', "refusal": None, "a_new_field": [1]}
    choice = {"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}
    body = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return httpx.Response(200, json=body, headers={"x-request-id": "req_1"})


@pytest.fixture
def client() -> typing.Iterator[openai.OpenAI]:
    with httpx.Client(transport=httpx.MockTransport(chat)) as http:
        yield openai.OpenAI(api_key="hunter2", http_client=http, max_retries=0)


def test_what_the_openai_client_returns_comes_back(client: openai.OpenAI) -> None:
    """With the id of the request, which it puts on the model, and with fields that it does not know yet."""
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
    back = round_trip(answer, ChatCompletion)
    assert back == answer
    assert back._request_id == "req_1"
    parsed = client.chat.completions.parse(model="m", messages=[{"role": "user", "content": "x"}], response_format=Cat)
    back = round_trip(parsed, ParsedChatCompletion[Cat])
    assert back.choices[0].message.parsed == Cat(kind="cat")


def test_an_error_of_the_openai_client_keeps_what_is_plain(client: openai.OpenAI) -> None:
    """Its class, status, headers and body; what was dropped is named, and no key is in it."""
    serializer = Serializer(TypeRegistry())
    with pytest.raises(openai.RateLimitError) as caught:
        client.with_options(default_headers={"x-fail": "1"}).models.list()
    stored = serializer.dump_error(caught.value)
    back: Any = serializer.load_error(stored)
    assert type(back) is openai.RateLimitError
    assert (back.status_code, back.response.status_code, back.response.headers["retry-after"]) == (429, 429, "3")
    assert "slow down" in back.response.text
    assert back.request.method == "GET"
    assert "Not recorded: request (httpx:Request; kept: method, url), response (httpx:Response;" in back.__notes__[0]
    with pytest.raises(AttributeError, match=r"only status_code, .* was recorded with the error, not 'elapsed'"):
        _ = back.response.elapsed
    assert "hunter2" not in stored.text


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (httpx.Response(200, json={}), r"such as its json\(\)"),
        (collections.defaultdict(lambda: 1), r"dict\(…\)"),
    ],
)
def test_what_is_only_on_its_way_is_refused_with_the_mend(value: Any, advice: str) -> None:
    """The refusal says what to return instead."""
    with pytest.raises(errors.SerializationError, match=advice):
        round_trip(value)


@pytest.mark.parametrize("zone", [tz.tzutc(), tz.tzoffset("A", 3600), tz.tzoffset(None, -60), tz.tzlocal()])
def test_zones_of_dateutil_come_back(zone: dt.tzinfo) -> None:
    """botocore answers with moments in them; a local one is the same moment on any machine."""
    serializer = Serializer(TypeRegistry())
    for moment in (dt.datetime(2024, 7, 1, 12, tzinfo=zone), FOLDED.replace(tzinfo=zone), FOLDED.replace(tzinfo=zone)):
        stored, back = serializer.accept({"LastModified": [moment] * 5, "zone": zone}, what="it")
        for read in (back, serializer.load(stored)):
            assert [(each, type(each.tzinfo)) for each in read["LastModified"]] == [(moment, type(zone))] * 5
            assert read["LastModified"][0].utcoffset() == moment.utcoffset()
            assert (type(read["zone"]), read["zone"]) == (type(zone), zone)


def test_zones_of_dateutil_that_are_none_are_refused() -> None:
    """Its own reading of zone files cannot be told by a name; and a row may say anything."""
    serializer = Serializer(TypeRegistry())
    zone = tz.gettz("Europe/Berlin")
    if zone is not None and type(zone) is not tz.tzlocal:
        with pytest.raises(errors.SerializationError, match="cannot be stored; use zoneinfo"):
            serializer.accept(dt.datetime(2024, 1, 1, tzinfo=zone), what="it")
    for text in ('["gettz","/etc/passwd"]', '["tzoffset"]', "[]", '"tzutc"'):
        with pytest.raises(errors.SerializationError):
            serializer.load(Stored("json", f'{{"$dateutil_zone":{text}}}'))
