"""Classes of users and of their libraries: dataclasses, NamedTuples, enums, attrs, pydantic models and its URLs.

Each shape takes an instance apart into its state and makes an instance from a state again. Making runs no code that
the data could choose: `__init__`, `__post_init__`, validators and converters are not called; a value is its fields.
pydantic and attrs are never imported: a class of theirs exists only where they are loaded already.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from enum import Enum, Flag
from typing import Any

from .refusal import Refusal
from .tags import expect

State = Any


@dataclass(slots=True, frozen=True)
class Shape:
    """One kind of class: its tag, which classes are of it, and the two ways."""

    tag: str
    fits: Callable[[type], bool]
    take: Callable[[Any], State]
    make: Callable[[Any, State], object]


_UNSET = object()


def _fields_of(value: object, names: list[str]) -> dict[str, object]:
    """Read the fields; anything else that the instance carries would be lost, and is refused.

    Two things do not count: values that a cached property can compute again, and typing's note of type arguments.
    """
    state: dict[str, object] = {}
    for name in names:
        member = getattr(value, name, _UNSET)
        if member is _UNSET:
            raise Refusal(f"is a {type(value).__name__} whose field {name!r} is not set; set every field")
        state[name] = member
    for name in getattr(value, "__dict__", ()):
        if name not in state and name != "__orig_class__" and not _is_cached_property(type(value), name):
            raise Refusal(
                f"is a {type(value).__name__} with the attribute {name!r}, which is none of its fields and would be "
                f"lost; make it a field"
            )
    return state


def _is_cached_property(cls: type, name: str) -> bool:
    return any(isinstance(owner.__dict__.get(name), functools.cached_property) for owner in cls.__mro__)


def _filled(cls: Any, names: dict[str, Callable[[], object] | None], state: object) -> object:
    """Make an instance with these fields; one that was added to the class since gets its default."""
    given = expect(state, dict)
    if unknown := given.keys() - names.keys():
        raise Refusal(f"has the field {sorted(map(str, unknown))[0][:80]!r}, which {cls.__qualname__} has no more")
    made: object = object.__new__(cls)
    for name, default in names.items():
        if name in given:
            object.__setattr__(made, name, given[name])
        elif default is not None:
            object.__setattr__(made, name, default())
        else:
            raise Refusal(f"lacks the field {name!r}, which {cls.__qualname__} has now without a default")
    return made


def _take_dataclass(value: Any) -> State:
    return _fields_of(value, [field.name for field in fields(value)])


def _make_dataclass(cls: Any, state: State) -> object:
    defaults: dict[str, Callable[[], object] | None] = {}
    for field in fields(cls):
        if field.default_factory is not MISSING:
            defaults[field.name] = field.default_factory
        elif field.default is not MISSING:
            defaults[field.name] = functools.partial(lambda default: default, field.default)
        else:
            defaults[field.name] = None
    return _filled(cls, defaults, state)


def _take_attrs(value: Any) -> State:
    return _fields_of(value, [attribute.name for attribute in type(value).__attrs_attrs__])


def _make_attrs(cls: Any, state: State) -> object:
    attrs = sys.modules["attr"]  # loaded: the class is made by it
    defaults: dict[str, Callable[[], object] | None] = {}
    for attribute in cls.__attrs_attrs__:
        default = attribute.default
        if default is attrs.NOTHING:
            defaults[attribute.name] = None
        elif isinstance(default, attrs.Factory):
            defaults[attribute.name] = None if default.takes_self else default.factory
        else:
            defaults[attribute.name] = functools.partial(lambda default: default, default)
    return _filled(cls, defaults, state)


def _take_named_tuple(value: Any) -> State:
    if getattr(value, "__dict__", None):
        raise Refusal(f"is a {type(value).__name__} with attributes beside its fields, which would be lost")
    return dict(zip(value._fields, value, strict=True))


def _make_named_tuple(cls: Any, state: State) -> object:
    given = cls._field_defaults | expect(state, dict)
    if given.keys() != set(cls._fields):
        raise Refusal(f"has other fields than {cls.__qualname__} has now")
    return tuple.__new__(cls, [given[name] for name in cls._fields])


def _take_enum(value: Any) -> State:
    """The member's name; of a combination of flags, its number."""
    name = value.name
    if name is not None and type(value).__members__.get(name) is value:
        return name
    return int(value.value)


def _make_enum(cls: Any, state: State) -> object:
    if type(state) is str and state in cls.__members__:
        return cls.__members__[state]
    if type(state) is int and issubclass(cls, Flag):
        return cls(state)
    raise Refusal(f"names a member that {cls.__qualname__} does not have")


_PYDANTIC_STATE = ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


def _is_pydantic_model(cls: type) -> bool:
    model = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    return model is not None and issubclass(cls, model)


def _declared(cls: Any) -> dict[str, Any]:
    """The model's fields; older versions of pydantic 2 keep them under the second name only."""
    declared: dict[str, Any] = getattr(cls, "__pydantic_fields__", None) or cls.model_fields
    return declared


def _take_model(value: Any) -> State:
    """The fields; then, where they say more, which were set, the extra ones and the private ones."""
    values, names_set, extra, private = (object.__getattribute__(value, name) for name in _PYDANTIC_STATE)
    declared = _declared(type(value))
    for name in values:
        if name not in declared and not _is_cached_property(type(value), name):
            raise Refusal(f"is a {type(value).__name__} with the attribute {name!r}, which is none of its fields")
    state: dict[str, object] = {"fields": {name: member for name, member in values.items() if name in declared}}
    if names_set != set(state["fields"]):  # type: ignore[call-overload]  # a dict, as built above
        state["set"] = sorted(names_set)
    return state | ({"extra": extra} if extra is not None else {}) | ({"private": private} if private else {})


def _make_model(cls: Any, state: State) -> object:
    given = expect(state, dict)
    values = dict(expect(given.get("fields"), dict))
    declared = _declared(cls)
    if unknown := values.keys() - declared.keys():
        raise Refusal(f"has the field {sorted(map(str, unknown))[0][:80]!r}, which {cls.__qualname__} has no more")
    names_set = set(expect(given["set"], list)) if "set" in given else set(values)
    for name in declared.keys() - values.keys():
        if declared[name].is_required():
            raise Refusal(f"lacks the field {name!r}, which {cls.__qualname__} has now without a default")
        values[name] = declared[name].get_default(call_default_factory=True)
    private = dict(expect(given["private"], dict)) if "private" in given else None
    if private is None and getattr(cls, "__private_attributes__", None):
        private = {}
    extra = dict(expect(given["extra"], dict)) if "extra" in given else None
    made = object.__new__(cls)
    for name, part in zip(_PYDANTIC_STATE, (values, names_set, extra, private), strict=True):
        object.__setattr__(made, name, part)
    return made


def _is_url(cls: type) -> bool:
    """pydantic's URL types (`HttpUrl`, `AnyUrl`, `PostgresDsn` …) and the two of its core."""
    networks, core = sys.modules.get("pydantic.networks"), sys.modules.get("pydantic_core")
    kinds = [getattr(networks, name, None) for name in ("_BaseUrl", "_BaseMultiHostUrl")]
    kinds += [getattr(core, name, None) for name in ("Url", "MultiHostUrl")]
    return any(isinstance(kind, type) and issubclass(cls, kind) for kind in kinds)


def _make_url(cls: Any, state: State) -> object:
    return cls(expect(state, str))


SHAPES: tuple[Shape, ...] = (
    Shape("$enum", lambda cls: issubclass(cls, Enum), _take_enum, _make_enum),
    Shape("$model", _is_pydantic_model, _take_model, _make_model),
    Shape("$dataclass", is_dataclass, _take_dataclass, _make_dataclass),
    Shape("$attrs", lambda cls: hasattr(cls, "__attrs_attrs__"), _take_attrs, _make_attrs),
    Shape(
        "$named_tuple",
        lambda cls: issubclass(cls, tuple) and hasattr(cls, "_fields"),
        _take_named_tuple,
        _make_named_tuple,
    ),
    Shape("$url", _is_url, str, _make_url),
)
BY_TAG: dict[str, Shape] = {shape.tag: shape for shape in SHAPES}


@functools.lru_cache(maxsize=4096)
def shape_of(cls: type) -> Shape | None:
    """The shape of a class, or None if its instances cannot be stored. An exception has none: see `raised`."""
    if issubclass(cls, BaseException):
        return None
    return next((shape for shape in SHAPES if shape.fits(cls)), None)
