"""Classes whose values are fields: dataclasses, attrs, NamedTuples, structs of msgspec and models of pydantic.

A layout says where the fields of one class lie and what one gets that was added since. It is made once per class, and
reads and makes many instances at a time (see `columns`). Making runs no code that the data could choose: `__init__`,
`__post_init__`, validators and converters are not called; a value is its fields. pydantic, attrs and msgspec's structs
are never imported here: a class of theirs exists only where they are loaded already.
"""

from __future__ import annotations

import functools
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import is_dataclass
from itertools import repeat
from operator import itemgetter
from types import MemberDescriptorType
from typing import Any, Final, TypeVar

from .defaults import Default, attrs_defaults, dataclass_defaults, model_defaults, struct_defaults, tuple_defaults
from .refusal import Refusal
from .subclasses import builtin_of
from .tags import expect

Fields = dict[str, object]
_UNSET: Final = object()
_ATTRS_HASH: Final = "_attrs_cached_hash"
"""Where attrs keeps the hash of an instance (`cache_hash=True`); None until it is asked for."""


class Layout:
    """The fields of one class, in their order, each with what makes its default (None: it has none)."""

    levels = 2
    """How much deeper than the value itself its fields lie in the tree."""

    def __init__(self, cls: Any, defaults: dict[str, Default]) -> None:
        self.cls = cls
        self.defaults = defaults
        self.names = tuple(defaults)
        self._keys = defaults.keys()
        placed = {name: _class_attribute(cls, name) for name in self.names}
        self._slots = {name: place for name, place in placed.items() if isinstance(place, MemberDescriptorType)}
        self._other_slots = _slots_beside(cls, self.names)
        is_plain = cls.__getattribute__ is object.__getattribute__ and not self._other_slots
        has_dict = cls.__dictoffset__ != 0
        self._is_in_dict = is_plain and has_dict and not any(hasattr(place, "__set__") for place in placed.values())
        self._put_dict: Any = getattr(_class_attribute(cls, "__dict__"), "__set__", None)
        self._is_in_slots = is_plain and not has_dict and len(self._slots) == len(self.names)

    def read(self, value: Any) -> Fields:
        """The fields of one instance."""
        state: Fields = {}
        for name in self.names:
            member = getattr(value, name, _UNSET)
            if member is _UNSET:
                raise Refusal(f"is a {type(value).__name__} whose field {name!r} is not set; set every field")
            state[name] = member
        return state

    def extras(self, value: Any) -> Fields:
        """What the instance carries beside its fields. Three things do not count: what a cached property can compute
        again, typing's note of type arguments, and a hash that attrs keeps, which holds in one process only.
        """
        own = getattr(value, "__dict__", None) or {}
        found: Fields = {}
        if own.keys() != self._keys:
            found = {
                name: member
                for name, member in own.items()
                if name not in self.defaults and name != "__orig_class__" and not is_cached_property(self.cls, name)
            }
        for name, place in self._other_slots.items():
            try:
                found[name] = place.__get__(value)
            except AttributeError:  # a slot that is not set
                continue
        if _ATTRS_HASH in found:
            found[_ATTRS_HASH] = None
        return found

    def filled(self, state: object) -> Fields:
        """The fields that a state gives; one that was added to the class since gets its default."""
        given = expect(state, dict)
        if unknown := given.keys() - self.defaults.keys():
            shown = sorted(map(str, unknown))[0][:80]
            raise Refusal(f"has the field {shown!r}, which {self.cls.__qualname__} has no more")
        made: Fields = {}
        for name, default in self.defaults.items():
            if name in given:
                made[name] = given[name]
            elif default is not None:
                made[name] = default()
            else:
                raise Refusal(f"lacks the field {name!r}, which {self.cls.__qualname__} has now without a default")
        return made

    def take(self, value: Any) -> tuple[object, Fields]:
        """What is written of one instance, not to be changed, and its extras."""
        if self._is_in_dict:
            own: Fields = value.__dict__
            if own.keys() == self._keys:
                return own, {}
        return self.read(value), self.extras(value)

    def make(self, state: object) -> object:
        """One instance from its state, which becomes its own."""
        made: object = object.__new__(self.cls)
        if self._is_in_dict and type(state) is dict and state.keys() == self._keys:
            self._put_dict(made, state)
            return made
        for name, member in self.filled(state).items():
            object.__setattr__(made, name, member)
        return made

    def read_many(self, values: list[Any]) -> list[Fields] | None:
        """The fields of many instances, not to be changed; None where some is not as plain as it takes."""
        if self._is_in_dict:
            own: list[Fields] = list(map(vars, values))
            return own if set(map(len, own)) == {len(self.names)} else None
        if self._is_in_slots and self.names:
            columns = [map(place.__get__, values) for place in self._slots.values()]
            try:
                return [dict(zip(self.names, row, strict=True)) for row in zip(*columns, strict=True)]
            except AttributeError:  # a field that is not set
                return None
        return None

    def states_of(self, values: list[Any], rows: list[Fields]) -> list[Any]:
        """What is written of many instances, given their fields."""
        return rows

    def marks_of(self, values: list[Any]) -> list[Any]:
        """What two instances must have the same beside their fields."""
        return []

    def rows_of(self, states: list[Any]) -> list[Fields] | None:
        """The fields in many states, each with all that the class has; None where one is different."""
        if set(map(type, states)) != {dict} or set(map(len, states)) != {len(self.names)}:
            return None
        return states

    def make_many(self, states: list[Any], rows: list[Fields]) -> list[object] | None:
        """Instances of these fields, which become theirs; None where they can only be made one by one."""
        if not self._is_in_dict and not self._is_in_slots:
            return None
        made = list(map(object.__new__, repeat(self.cls, len(rows))))
        if self._is_in_dict:
            deque(map(self._put_dict, made, rows), maxlen=0)
            return made
        for name, place in self._slots.items():
            deque(map(place.__set__, made, map(itemgetter(name), rows)), maxlen=0)
        return made


class StructLayout(Layout):
    """A struct of msgspec: made by its own constructor, which is msgspec's; it has no other way in. What its
    `__post_init__` makes of the fields is put right: they were through it once already.
    """

    def make(self, state: object) -> object:
        return self._made(self.filled(state))

    def make_many(self, states: list[Any], rows: list[Fields]) -> list[object] | None:
        return list(map(self._made, rows))

    def _made(self, row: Fields) -> object:
        made: object = self.cls(**row)
        if hasattr(self.cls, "__post_init__"):
            put = sys.modules["msgspec"].structs.force_setattr  # loaded: the class is made by it
            for name, member in row.items():
                put(made, name, member)
        return made


class TupleLayout(Layout):
    """A NamedTuple."""

    def read(self, value: Any) -> Fields:
        return dict(zip(self.names, tuple.__iter__(value), strict=True))

    def make(self, state: object) -> object:
        return tuple.__new__(self.cls, self.filled(state).values())

    def read_many(self, values: list[Any]) -> list[Fields] | None:
        if self.cls.__dictoffset__:  # a subclass may carry more
            return None
        return [dict(zip(self.names, value, strict=True)) for value in map(tuple.__iter__, values)]

    def make_many(self, states: list[Any], rows: list[Fields]) -> list[object] | None:
        pick = [[row[name] for row in rows] for name in self.names]
        return [tuple.__new__(self.cls, members) for members in zip(*pick, strict=True)] if pick else None


_MODEL_PARTS: Final = ("__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")


class ModelLayout(Layout):
    """A model of pydantic: its fields; then, where they say more, which were set, the extra and the private ones."""

    levels = 3

    def __init__(self, cls: Any, defaults: dict[str, Default]) -> None:
        super().__init__(cls, defaults)
        self._has_private = bool(getattr(cls, "__private_attributes__", None))
        places = [_class_attribute(cls, name) for name in _MODEL_PARTS]
        self._parts = [place if isinstance(place, MemberDescriptorType) else None for place in places]
        self._hidden = [place is not None and slot is None for place, slot in zip(places, self._parts, strict=True)]
        """The parts whose slot the class hides by saying what their values are (`__pydantic_extra__: … = Field(…)`)."""

    def read(self, value: Any) -> Fields:
        own: Fields = object.__getattribute__(value, "__dict__")
        return {name: member for name, member in own.items() if name in self.defaults}

    def take(self, value: Any) -> tuple[object, Fields]:
        given = self.read(value)
        state: dict[str, object] = {"fields": given}
        names_set, extra, private = _model_parts(value)
        if names_set is not None and names_set != given.keys():
            state["set"] = sorted(names_set)
        if len(given) < len(self.names):  # `model_construct` asks for nothing
            state["absent"] = [name for name in self.names if name not in given]
        if extra is not None:
            state["extra"] = extra
        if private:
            state["private"] = private
        return state, self.extras(value)

    def extras(self, value: Any) -> Fields:
        return {name: member for name, member in super().extras(value).items() if name not in _MODEL_PARTS}

    def make(self, state: object) -> object:
        given = expect(state, dict)
        absent = dict.fromkeys(expect(given.get("absent", []), list))
        values = self.filled(absent | expect(given.get("fields"), dict))
        for name in absent:
            del values[name]
        names_set = set(expect(given["set"], list)) if "set" in given else set(given["fields"])
        extra = dict(expect(given["extra"], dict)) if "extra" in given else None
        private = dict(expect(given["private"], dict)) if "private" in given else None
        return self._made(values, names_set, extra, {} if private is None and self._has_private else private)

    def _made(self, values: Fields, *parts: object) -> object:
        """A model with these values; a part that its class does without is passed by."""
        made: object = object.__new__(self.cls)
        object.__setattr__(made, "__dict__", values)
        for name, place, is_hidden, part in zip(_MODEL_PARTS, self._parts, self._hidden, parts, strict=True):
            if place is not None:
                place.__set__(made, part)
            elif is_hidden:
                values[name] = part
        return made

    def read_many(self, values: list[Any]) -> list[Fields] | None:
        if any(self._hidden):
            return None
        extras, privates = self._column(1, values), self._column(2, values)
        if set(map(type, extras)) != {type(None)} or any(privates):
            return None
        rows: list[Fields] = list(map(vars, values))
        return rows if set(map(len, rows)) == {len(self.names)} else None

    def _column(self, part: int, values: list[Any]) -> list[Any]:
        """One part of many models; all None where some does without."""
        place = self._parts[part]
        try:
            return [None] if place is None else list(map(place.__get__, values))
        except AttributeError:
            return [_model_parts(value)[part] for value in values]

    def marks_of(self, values: list[Any]) -> list[Any]:
        return self._column(0, values)

    def states_of(self, values: list[Any], rows: list[Fields]) -> list[Any]:
        every, given_sets = set(self.names), self.marks_of(values)
        if all(map(every.__eq__, given_sets)):
            return [{"fields": row} for row in rows]
        return [
            {"fields": row} if given is None or given == every else {"fields": row, "set": sorted(given)}
            for row, given in zip(rows, given_sets, strict=True)
        ]

    def rows_of(self, states: list[Any]) -> list[Fields] | None:
        if set(map(type, states)) != {dict}:
            return None
        if set(map(tuple, states)) == {("fields",)}:
            return super().rows_of(list(map(itemgetter("fields"), states)))
        if any(state.keys() - {"fields", "set"} for state in states):
            return None
        if not all("fields" in state and type(state.get("set", [])) is list for state in states):
            return None
        return super().rows_of([state["fields"] for state in states])

    def make_many(self, states: list[Any], rows: list[Fields]) -> list[object] | None:
        if any(self._hidden):
            return None
        made: list[object] = list(map(object.__new__, repeat(self.cls, len(rows))))
        deque(map(self._put_dict, made, rows), maxlen=0)
        parts: list[Iterable[object]] = [
            (set(state.get("set", self.names)) for state in states),
            repeat(None),
            ({} for _ in rows) if self._has_private else repeat(None),
        ]
        for place, part in zip(self._parts, parts, strict=True):
            if place is not None:
                deque(map(place.__set__, made, part), maxlen=0)
        return made


def _model_parts(value: object) -> tuple[Any, Any, Any]:
    """Which fields were set, the extra and the private values; what a model does without (a RootModel) is None."""
    found = []
    for name in _MODEL_PARTS:
        try:
            found.append(object.__getattribute__(value, name))
        except AttributeError:
            found.append(None)
    return found[0], found[1], found[2]


def _class_attribute(cls: type, name: str) -> object:
    return next((owner.__dict__[name] for owner in cls.__mro__ if name in owner.__dict__), None)


def _slots_beside(cls: type, names: tuple[str, ...]) -> dict[str, MemberDescriptorType]:
    """The slots that are no fields, such as those of a base class which is none of its kind."""
    return {
        name: place
        for owner in reversed(cls.__mro__)
        for name, place in owner.__dict__.items()
        if isinstance(place, MemberDescriptorType)
        and not (name in names or name.startswith("__") or is_cached_property(cls, name))
    }


def is_cached_property(cls: type, name: str) -> bool:
    """Whether the class computes this attribute when it is first asked for."""
    return any(
        isinstance(owner.__dict__.get(name), functools.cached_property) or name in _computed_by_attrs(owner)
        for owner in cls.__mro__
    )


def _computed_by_attrs(owner: type) -> Iterable[str]:
    """The cached properties of a class on slots: attrs puts a slot in the place of each, and only the `__getattr__`
    that it makes knows what fills it.
    """
    if "__attrs_attrs__" not in owner.__dict__:
        return ()
    known: Iterable[str] = getattr(owner.__dict__.get("__getattr__"), "__globals__", {}).get("cached_properties", ())
    return known


def is_model(cls: type) -> bool:
    """Whether this is a model of pydantic."""
    model = getattr(sys.modules.get("pydantic"), "BaseModel", None)
    return model is not None and issubclass(cls, model)


def generic_origin(cls: type) -> type:
    """Of a generic model whose arguments are still variables the model itself, as which it comes back; else the class.

    openai's client answers with such a class where it was given a model.
    """
    metadata = getattr(cls, "__pydantic_generic_metadata__", None)
    if not isinstance(metadata, dict) or not metadata.get("args"):
        return cls
    is_open = all(isinstance(argument, TypeVar) for argument in metadata["args"])
    return metadata["origin"] if is_open else cls


def is_struct(cls: type) -> bool:
    """Whether this is a struct of msgspec."""
    return hasattr(cls, "__struct_fields__")


def is_named_tuple(cls: type) -> bool:
    """Whether this is a tuple with names."""
    return issubclass(cls, tuple) and hasattr(cls, "_fields")


@functools.lru_cache(maxsize=4096)
def layout_of(cls: type) -> Layout | None:
    """The layout of a class whose values are fields; None for any other class."""
    if issubclass(cls, BaseException):
        return None
    if builtin_of(cls) is not None and not is_named_tuple(cls):  # a dataclass that extends dict is a dict
        return None
    if is_model(cls):
        return ModelLayout(cls, model_defaults(cls))
    if is_dataclass(cls):
        return Layout(cls, dataclass_defaults(cls))
    if hasattr(cls, "__attrs_attrs__"):
        return Layout(cls, attrs_defaults(cls))
    if is_struct(cls):
        return StructLayout(cls, struct_defaults(cls))
    return TupleLayout(cls, tuple_defaults(cls)) if is_named_tuple(cls) else None
