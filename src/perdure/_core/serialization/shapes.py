"""Classes of users and of their libraries, by shape: values that are fields, enums, URLs, subclasses of builtin types,
and what pydantic knows how to write and to validate.

Each shape takes an instance apart into its state, and its other plain attributes, and makes an instance of them again.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from enum import Enum, Flag
from importlib import import_module
from importlib.util import find_spec
from types import MemberDescriptorType
from typing import Any

from .layouts import Layout, is_model, is_named_tuple, is_struct, layout_of
from .refusal import Refusal
from .subclasses import attributes_of_subclass, builtin_of, make_subclass, take_subclass
from .tags import expect

State = Any


def _are_equal(left: object, right: object) -> bool:
    return bool(left == right)


@dataclass(slots=True, frozen=True)
class Shape:
    """One kind of class: its tag, which classes are of it, and the two ways.

    `take` gives the state and what the instance carries beside it. `is_same` compares two instances of one class where
    their states do not tell all.
    """

    tag: str
    fits: Callable[[type], bool]
    take: Callable[[Any], tuple[State, dict[str, object]]]
    make: Callable[[Any, State], object]
    is_same: Callable[[Any, Any], bool] | None = None


def _layout(cls: type) -> Layout:
    found = layout_of(cls)
    assert found is not None  # the shape fits
    return found


def _of_fields(tag: str, fits: Callable[[type], bool]) -> Shape:
    """A shape of classes whose values are fields."""
    return Shape(
        tag,
        lambda cls: fits(cls) and layout_of(cls) is not None,
        lambda value: _layout(type(value)).take(value),
        lambda cls, state: _layout(cls).make(state),
    )


def _take_enum(value: Enum) -> tuple[State, dict[str, object]]:
    """The member's name; of a combination of flags, its number."""
    name = value.name
    if type(name) is str and type(value).__members__.get(name) is value:
        return name, {}
    return int(value.value), {}


def _make_enum(cls: Any, state: State) -> object:
    if type(state) is str and state in cls.__members__:
        return cls.__members__[state]
    if type(state) is int and issubclass(cls, Flag):
        return cls(state)
    raise Refusal(f"names a member that {cls.__qualname__} does not have")


def _is_url(cls: type) -> bool:
    """pydantic's URL types (`HttpUrl`, `AnyUrl`, `PostgresDsn` …) and the two of its core."""
    networks, core = sys.modules.get("pydantic.networks"), sys.modules.get("pydantic_core")
    kinds = [getattr(networks, name, None) for name in ("_BaseUrl", "_BaseMultiHostUrl")]
    kinds += [getattr(core, name, None) for name in ("Url", "MultiHostUrl")]
    return any(isinstance(kind, type) and issubclass(cls, kind) for kind in kinds)


def _make_url(cls: Any, state: State) -> object:
    return cls(expect(state, str))


def is_pydantic_type(cls: type) -> bool:
    """A class that tells pydantic how it is written and validated (`NameEmail`, `Color` …), and is no secret.

    Some do so for those who have pydantic, and can be without it (`whenever`).
    """
    speaks = hasattr(cls, "__get_pydantic_core_schema__") and not hasattr(cls, "get_secret_value")
    return speaks and find_spec("pydantic") is not None


@functools.lru_cache(maxsize=1024)
def adapter_of(cls: type) -> Any:
    """pydantic's own writer and validator of a type, compiled once."""
    return import_module("pydantic").TypeAdapter(cls)  # the class may speak to it where nobody has loaded it yet


SHAPES: tuple[Shape, ...] = (
    Shape("$enum", lambda cls: issubclass(cls, Enum), _take_enum, _make_enum),
    _of_fields("$model", is_model),
    _of_fields("$dataclass", is_dataclass),
    _of_fields("$attrs", lambda cls: hasattr(cls, "__attrs_attrs__")),
    _of_fields("$struct", is_struct),
    _of_fields("$named_tuple", is_named_tuple),
    Shape("$url", _is_url, lambda value: (str(value), {}), _make_url),
    Shape(
        "$subclass",
        lambda cls: builtin_of(cls) is not None,
        lambda value: (take_subclass(value), attributes_of_subclass(value)),
        make_subclass,
    ),
    Shape(
        "$pydantic",
        is_pydantic_type,
        lambda value: (adapter_of(value.__class__).dump_python(value, mode="json"), {}),
        lambda cls, state: adapter_of(cls).validate_python(state),
        is_same=_are_equal,
    ),
)
BY_TAG: dict[str, Shape] = {shape.tag: shape for shape in SHAPES}


@functools.lru_cache(maxsize=4096)
def shape_of(cls: type) -> Shape | None:
    """The shape of a class, or None if its instances cannot be stored. An exception has none: see `raised`."""
    if issubclass(cls, BaseException):
        return None
    return next((shape for shape in SHAPES if shape.fits(cls)), None)


def add_extras(made: object, extras: object) -> object:
    """Give an instance the attributes that it had beside its state; returns it."""
    given = expect(extras, dict)
    own = getattr(made, "__dict__", None)
    for name, member in given.items():
        if not expect(name, str).isidentifier() or (name.startswith("__") and name.endswith("__")):
            raise Refusal("has an attribute that is no name")
        place = next((c.__dict__[name] for c in type(made).__mro__ if name in c.__dict__), None)
        if isinstance(place, MemberDescriptorType):
            place.__set__(made, member)
        elif own is None:
            raise Refusal(f"has the attribute {name[:80]!r}, for which {type(made).__qualname__} has no place")
        else:
            own[name] = member
    return made
