"""Whether a value fits an annotation, as far as that can be told of a value that is there.

Looked at only where the class was declared otherwise when its value was stored.

Only what is surely wrong is said: an annotation that cannot be resolved, or says nothing about values (a protocol, a
type variable), fits all. Constraints such as a least value are not looked at, and no validator is called but those of a
type that only pydantic knows how to tell.
"""

from __future__ import annotations

import types
import typing
from collections import OrderedDict, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import repeat
from typing import Any, Final

from .declared import declaration_of, meant_by, required_keys, type_text
from .refusal import shown_step
from .shapes import adapter_of, is_pydantic_type

_WIDER: Final[dict[type, tuple[type, ...]]] = {float: (int,), complex: (int, float), bytes: (bytearray, memoryview)}
"""What a type checker takes for one of these, too."""
_MOST: Final = 100_000
"""Members of one value that are looked at."""


def misfit_of(value: object, annotation: object) -> str | None:
    """How the value does not fit: `holds str where int belongs`, with the place in it; None where it fits."""
    return _misfit(value, annotation, "")


def _misfit(value: Any, annotation: object, place: str) -> str | None:
    annotation = meant_by(annotation)
    if annotation is Any or annotation is object or isinstance(annotation, (str, typing.TypeVar, typing.ForwardRef)):
        return None
    if annotation is None or annotation is type(None):
        return None if value is None else _said(value, "None", place)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        fits = any(_misfit(value, argument, place) is None for argument in arguments)
        return None if fits else _said(value, type_text(annotation), place)
    if origin is typing.Literal:
        fits = any(type(value) is type(argument) and value == argument for argument in arguments)
        return None if fits else f"{place}holds another value than one of {type_text(annotation)}"
    if typing.is_typeddict(annotation):
        return _typed_dict_misfit(value, annotation, place)
    cls = annotation if origin is None else origin
    if not isinstance(cls, type):
        return None
    if not _is_instance(value, cls):
        return _said(value, type_text(annotation), place)
    return _members_misfit(value, arguments, place) if arguments else None


def _said(value: object, belongs: str, place: str) -> str:
    return f"{place}holds {type(value).__name__} where {belongs} belongs"


def _is_instance(value: Any, cls: type) -> bool:
    if getattr(cls, "_is_protocol", False):
        return True
    try:
        if isinstance(value, (cls, *_WIDER.get(cls, ()))):
            return True
    except Exception:  # a class may say what it likes of its instances, or nothing
        return True
    if not is_pydantic_type(cls) or declaration_of(cls) is not None:
        return False
    try:  # such as EmailStr, whose values are plain texts
        adapter_of(cls).validate_python(value)
    except Exception:  # whatever its validator raises
        return False
    return True


def _members_misfit(value: Any, arguments: tuple[Any, ...], place: str) -> str | None:
    """Of the containers whose arguments are known to speak of their members."""
    pairs: Iterable[tuple[object, Any, Any]]
    if isinstance(value, (dict, OrderedDict, defaultdict, Mapping)) and len(arguments) == 2:
        keys = zip(repeat(None), value, repeat(arguments[0]))
        pairs = [*keys, *((key, member, arguments[1]) for key, member in value.items())]
    elif isinstance(value, tuple) and type(value) is tuple:
        pairs = _tuple_members(value, arguments)
        if not (len(arguments) == 2 and arguments[1] is ...) and len(arguments) != len(value):
            return f"{place}holds a tuple of {len(value)} where one of {len(arguments)} belongs"
    elif isinstance(value, (list, set, frozenset, deque)) and len(arguments) == 1:
        pairs = ((index, member, arguments[0]) for index, member in enumerate(value))
    else:
        return None
    found = (_misfit(member, argument, place + _step(key)) for key, member, argument in pairs)
    return next((said for _, said in zip(range(_MOST), found, strict=False) if said is not None), None)


def _tuple_members(value: tuple[Any, ...], arguments: tuple[Any, ...]) -> Iterator[tuple[object, Any, Any]]:
    if len(arguments) == 2 and arguments[1] is ...:
        return zip(range(len(value)), value, repeat(arguments[0]), strict=False)
    return zip(range(len(value)), value, arguments, strict=False)


def _step(key: object) -> str:
    """The way to a member, before what is said of it; of a key nothing is shown but that it is one."""
    return "in a key " if key is None else f"in {shown_step(key)} "


def _typed_dict_misfit(value: Any, annotation: Any, place: str) -> str | None:
    if type(value) is not dict:
        return _said(value, annotation.__name__, place)
    declared = declaration_of(annotation) or {}
    for name in sorted(required_keys(annotation)):
        if name not in value:
            return f"{place}lacks the key {name!r}, which {annotation.__name__} has now"
    for name, member in value.items():
        if name not in declared:
            return f"{place}has the key {str(name)[:80]!r}, which {annotation.__name__} has no more"
        if (said := _misfit(member, declared[name], f"{place}{_step(name)}")) is not None:
            return said
    return None
