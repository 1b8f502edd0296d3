"""Types of every supported kind, and strategies for values of them, nested in each other."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import zoneinfo
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Generic, NamedTuple, TypeVar

import attrs
import pydantic
from hypothesis import strategies as st

from perdure._core.serialization import Serializer, TypeRegistry

T = TypeVar("T")


def named(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The same strategy with a short repr: those of nested ones grow to many kilobytes, and Hypothesis warns."""

    @st.composite
    def drawn(draw: st.DrawFn) -> Any:
        return draw(strategy)

    return drawn()


class Colour(enum.Enum):
    RED = "r"
    BLUE = (1, 2)


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Mode(enum.StrEnum):
    FAST = "fast"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


@dataclass(frozen=True, slots=True)
class Point:
    x: Any
    y: Any = 0


@dataclass(kw_only=True)
class Invoice:
    lines: list[Point]
    total: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.total = len(self.lines)


@dataclass
class Box(Generic[T]):
    content: T


class Pair(NamedTuple):
    left: Any
    right: Any = None


@attrs.frozen
class Tag:
    label: Any


@attrs.define(slots=False)
class Label:
    text: str
    tags: list[Tag] = attrs.Factory(list)


class Item(pydantic.BaseModel):
    name: str
    price: Any = 0


class Page(pydantic.BaseModel, Generic[T]):
    items: list[T]
    url: pydantic.HttpUrl | None = None


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    known: int = 1
    _secret: int = pydantic.PrivateAttr(default=3)


class ShopError(Exception):
    """Takes other arguments than it passes on."""

    def __init__(self, shop: str, code: int) -> None:
        super().__init__(f"{shop} is closed")
        self.shop = shop
        self.code = code


def example(
    boxes: Box[Point],
    invoice: Invoice | None,
    pairs: dict[str, Pair],
    labels: list[Label],
    page: Page[Item],
    extra: Open,
    kinds: tuple[Colour, Level, Mode, Right],
    urls: list[pydantic.AnyUrl],
    dsn: pydantic.PostgresDsn,
) -> None:
    """Name all the types above, directly or in their fields."""


def make_serializer(**options: Any) -> Serializer:
    """A serializer that knows the types of this module, as a worker with `example` registered would."""
    registry = TypeRegistry()
    registry.learn(example)
    return Serializer(registry, **options)


ZONES = [zoneinfo.ZoneInfo("Europe/Paris"), zoneinfo.ZoneInfo("America/New_York"), dt.UTC,
         dt.timezone(dt.timedelta(hours=-3, minutes=-30)), dt.timezone(dt.timedelta(seconds=3601), "odd")]  # fmt: skip

texts = st.text(st.characters(codec=None, exclude_categories=())) | st.sampled_from(
    ["", "\0", "\ud800", "\\u0000", "$set", '"$', "\\", "é\0"]
)
scalars = named(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(min_value=-(2**70), max_value=2**70),
        st.sampled_from([2**63, 2**63 - 1, -(2**63), -(2**63) - 1]),
        st.floats(),
        texts,
    )
)
hashables = named(
    st.one_of(
        scalars,
        st.binary(),
        st.complex_numbers(),
        st.decimals().filter(lambda number: not number.is_snan()),
        st.fractions(),
        st.uuids(),
        st.dates(),
        st.timedeltas(),
        st.datetimes(timezones=st.none() | st.sampled_from(ZONES), allow_imaginary=True),
        st.times(timezones=st.none() | st.sampled_from(ZONES)),
        st.builds(lambda moment: moment.replace(fold=1), st.datetimes(timezones=st.sampled_from(ZONES))),
        st.sampled_from([*Colour, *Level, *Mode, *Right, Right.READ | Right.WRITE, Right(0)]),
        st.sampled_from(ZONES),
        st.sampled_from([Path("a/b"), PurePosixPath("/"), PureWindowsPath("c:\\x"), Path("sp ace")]),
        st.ip_addresses(),
        st.sampled_from([ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_interface("::1/64")]),
        st.builds(range, st.integers(), st.integers(), st.integers(1, 5)),
        st.sampled_from([pydantic.AnyUrl("https://a.example/x?y=1"), pydantic.PostgresDsn("postgres://h/d")]),
    )
)
frozen = named(
    st.recursive(
        hashables,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(tuple),
            st.frozensets(inner, max_size=3),
            st.builds(Point, inner, inner),
            st.builds(Pair, inner, inner),
        ),
        max_leaves=8,
    )
)


def _errors(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[BaseException]:
    def chained(error: BaseException, cause: BaseException | None, note: str) -> BaseException:
        error.__cause__ = cause
        error.add_note(note)
        return error

    simple = st.one_of(
        inner.map(ValueError),
        st.builds(KeyError, inner, inner),
        st.builds(OSError, st.just(2), texts, texts),
        st.builds(ShopError, texts, st.integers()),
        st.just(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad")),
        st.builds(lambda member: ExceptionGroup("group", [ValueError(member)]), inner),
    )
    return st.builds(chained, simple, st.none() | inner.map(TypeError), texts)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(inner, max_size=3).map(lambda members: deque(members, maxlen=5)),
        st.dictionaries(texts, inner, max_size=3),
        st.dictionaries(frozen, inner, max_size=3),
        st.dictionaries(texts, inner, max_size=3).map(OrderedDict),
        st.dictionaries(frozen, st.integers(), max_size=3).map(Counter),
        st.sets(frozen, max_size=4),
        st.builds(bytearray, st.binary()),
        st.builds(Point, inner, inner),
        inner.map(Box),
        inner.map(Pair),
        st.builds(Label, st.text(), st.lists(inner.map(Tag), max_size=2)),
        st.builds(Item, name=st.text(), price=inner),
        st.builds(lambda price: Page[Item](items=[Item(name="a", price=price)], url="https://a.example/b"), inner),
        st.builds(lambda extra: Open(known=2, other=extra), inner),
        _errors(inner),
    )


values = st.recursive(frozen, _containers, max_leaves=12)

EXACT_NUMBERS = [Decimal("1.10"), Decimal("1.1"), Fraction(1, 3)]
