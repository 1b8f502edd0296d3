"""What a class declares its values to be: the names and types of its fields, or the members of an enum; the keys of the
TypedDicts among those, too.

A digest of that lies beside each stored value of such a class. Where it is another one than the class has now, the
value is looked at more closely when it is read (see `older`). So a digest that differs without need, as where one
process could not resolve an annotation, costs a look and no more.
"""

from __future__ import annotations

import functools
import hashlib
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from ..names import module_name
from .annotations import declared_of, types_of
from .layouts import is_model, layout_of
from .shapes import shape_of

DIGITS: Final = 8
"""Hexadecimal digits of a digest: one class in four thousand million changes without its being seen."""

_QUALIFIERS: Final = frozenset({"Required", "NotRequired", "ReadOnly", "Final", "ClassVar"})


@functools.lru_cache(maxsize=4096)
def declaration_of(cls: Any) -> Mapping[str, object] | None:
    """The type of each field; of an enum its members. None for a class that declares neither."""
    if isinstance(cls, type) and issubclass(cls, Enum):
        return dict.fromkeys(cls.__members__)
    if typing.is_typeddict(cls):
        return declared_of(cls)
    layout = layout_of(cls)
    if layout is None:
        return None
    if is_model(cls):  # type arguments are filled in here, and not in the annotations
        models: Any = getattr(cls, "__pydantic_fields__", None) or cls.model_fields
        return {name: models[name].annotation for name in layout.names}
    declared = declared_of(cls)
    return {name: declared.get(name, Any) for name in layout.names}


@functools.lru_cache(maxsize=4096)
def digest_of(cls: type) -> str | None:
    """The digest of a declaration, the same for fields in any order; None where there is none."""
    declared = declaration_of(cls)
    if declared is None:
        return None
    shape = shape_of(cls)
    text = f"{'' if shape is None else shape.tag};{_fields_text(cls, declared)}"
    dicts = sorted((_class_text(found), found) for found in types_of(cls).types if typing.is_typeddict(found))
    for name, found in dicts:  # their values are dicts, beside which nothing can lie
        text += "" if found is cls else f";{name}:{_fields_text(found, declared_of(found))}"
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=DIGITS // 2).hexdigest()


def _fields_text(cls: Any, declared: Mapping[str, object]) -> str:
    required = required_keys(cls) if typing.is_typeddict(cls) else declared.keys()
    return ";".join(f"{name}{'' if name in required else '?'}:{type_text(declared[name])}" for name in sorted(declared))


def required_keys(cls: Any) -> frozenset[str]:
    """Those that each value of a TypedDict has. Python itself is misled by annotations that are texts."""
    return frozenset(name for name, declared in declared_of(cls).items() if _is_required(name, declared, cls))


def _is_required(name: str, declared: object, cls: Any) -> bool:
    said = str(typing.get_origin(declared) or declared).rpartition(".")[2]
    if said.startswith("NotRequired"):
        return False
    return said.startswith("Required") or name in cls.__required_keys__


def type_text(annotation: object) -> str:
    """One text for annotations that mean the same, in every version of Python: `Optional[int]` is `None|int`."""
    annotation = meant_by(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if isinstance(annotation, str):  # could not be resolved
        return annotation.replace(" ", "")
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Union or origin is types.UnionType:
        return "|".join(sorted(map(type_text, arguments)))
    if origin is typing.Literal:
        return f"Literal[{','.join(sorted(map(repr, arguments)))}]"
    if origin is not None:
        return f"{type_text(origin)}[{','.join(map(_argument_text, arguments))}]"
    if isinstance(annotation, type):
        return annotation.__name__ if annotation.__module__ == "builtins" else _class_text(annotation)
    return repr(annotation)


def _argument_text(argument: object) -> str:
    return f"[{','.join(map(type_text, argument))}]" if isinstance(argument, list) else type_text(argument)


def _class_text(cls: type) -> str:
    return f"{module_name(cls.__module__)}:{cls.__qualname__}"


def meant_by(annotation: Any) -> object:
    """What an annotation says of the value itself: without `Annotated` and the like, aliases and NewTypes looked up."""
    for _ in range(20):  # one may be made of itself
        origin = typing.get_origin(annotation)
        if origin is typing.Annotated or getattr(origin, "_name", None) in _QUALIFIERS:
            annotation = typing.get_args(annotation)[0]
        elif isinstance(annotation, typing.NewType):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            try:
                annotation = annotation.__value__
            except Exception:  # it is computed late, and names what is not there yet
                return Any
        else:
            return annotation
    return Any
