"""Which types an annotation speaks of: through generics, unions, `Annotated`, aliases and the fields of classes.

Annotations that cannot be resolved yet (forward references, imports for type checkers only) are no error here:
the caller asks again later.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from .type_checking import names_for_type_checkers

_WORD = re.compile(r"[^\W\d]\w*")


@dataclass(slots=True)
class Found:
    """The classes that were found, whether some annotation could not be resolved, and the names in such ones.

    `may_import`: names that a module imports for type checkers only are looked up by doing that import.
    """

    types: dict[type, None] = field(default_factory=dict)
    is_complete: bool = True
    unresolved: dict[str, None] = field(default_factory=dict)
    may_import: bool = False


def types_of_function(fn: Callable[..., object], *, may_import: bool = False) -> Found:
    """Collect the types named in the annotations of a function's arguments and result."""
    found = Found(may_import=may_import)
    plain = _plain_function(fn)
    if plain is None:
        return found
    scope = _closure(plain)
    for annotation in _annotations(plain, found).values():
        _visit(_resolved(annotation, plain.__globals__, scope, found), found)
    return found


def types_of(tp: object, *, may_import: bool = False) -> Found:
    """Collect the types that `tp` speaks of: itself, its type arguments and, of classes, the types of the fields."""
    found = Found(may_import=may_import)
    _visit(tp, found)
    return found


def declared_of(cls: type) -> dict[str, object]:
    """The annotations of a class and its bases by name, resolved; one that cannot be is left as it was written."""
    found: dict[str, object] = {}
    for owner in reversed(cls.__mro__):
        for name, annotation in _annotations_of_owner(owner, Found()):
            found[name] = annotation
    return found


def _plain_function(fn: object) -> types.FunctionType | None:
    """The function that carries the annotations: inside methods, partials and well-behaved wrappers."""
    while True:
        if isinstance(fn, functools.partial):
            fn = fn.func
        elif isinstance(fn, (classmethod, staticmethod, types.MethodType)):
            fn = fn.__func__
        elif hasattr(fn, "__wrapped__"):
            fn = fn.__wrapped__
        else:
            return fn if isinstance(fn, types.FunctionType) else None


def _closure(fn: types.FunctionType) -> dict[str, object]:
    """Names that the annotations of a nested function may use beside the globals, and its type parameters."""
    try:
        scope = dict(inspect.getclosurevars(fn).nonlocals)
    except ValueError:  # a cell that is still empty
        scope = {}
    return scope | {parameter.__name__: parameter for parameter in getattr(fn, "__type_params__", ())}


def _annotations(owner: object, found: Found) -> dict[str, object]:
    """The raw annotations; where Python computes them late, some may not be there yet."""
    try:
        return inspect.get_annotations(owner)  # type: ignore[arg-type]  # a function or a class
    except Exception:
        found.is_complete = False
        return {}


def _resolved(annotation: object, names: Mapping[str, object], scope: dict[str, object], found: Found) -> object | None:
    """Evaluate the strings in one annotation; None where a name in it is not known (yet)."""
    holder = types.SimpleNamespace(__annotations__={"it": annotation})
    words = _WORD.findall(annotation) if isinstance(annotation, str) else []
    missing = [word for word in words if word not in names and word not in scope]
    deferred = names_for_type_checkers(str(names.get("__name__")), missing, may_import=found.may_import)
    try:
        hints: dict[str, object] = typing.get_type_hints(holder, dict(names), deferred | scope, include_extras=True)
    except Exception:  # evaluating an annotation runs the user's code: anything can come out of it
        found.is_complete = False
        found.unresolved.update(dict.fromkeys(words))
        return None
    return hints["it"]


def _visit(tp: object, found: Found) -> None:
    """Note every class in `tp`; iterative, since types may be nested in themselves."""
    waiting: list[object] = [tp]
    seen: set[int] = set()
    kept: list[object] = []  # so that no id is used twice
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        kept.append(current)
        if isinstance(current, type) and not isinstance(current, types.GenericAlias):
            if current.__module__ != "builtins":
                found.types[current] = None
                waiting.extend(_types_of_fields(current, found))
        elif isinstance(current, Enum):  # inside Literal
            waiting.append(type(current))
        else:
            waiting.extend(_parts(current, found))


def _parts(tp: object, found: Found) -> Iterator[object]:
    """What a generic, a union, an alias or a type variable consists of."""
    if isinstance(tp, (list, tuple)):  # the arguments of a Callable
        yield from tp
        return
    if isinstance(tp, typing.ForwardRef | str):
        found.is_complete = False
        return
    if (origin := typing.get_origin(tp)) is not None:
        yield origin
        yield from typing.get_args(tp)
    for attribute in ("__supertype__", "__bound__", "__value__"):  # NewType, TypeVar, TypeAliasType
        try:
            part = getattr(tp, attribute, None)
        except Exception:  # the value of an alias is computed late
            found.is_complete = False
            continue
        if part is not None:
            yield part
    yield from getattr(tp, "__constraints__", ())


def _types_of_fields(cls: type, found: Found) -> Iterator[object]:
    """The annotations of a class and of its bases, resolved; and the arguments of a pydantic generic."""
    metadata = getattr(cls, "__pydantic_generic_metadata__", None)
    if isinstance(metadata, dict):
        yield from metadata.get("args", ())
        if metadata.get("origin") is not None:
            yield metadata["origin"]
    pydantic_fields = cls.__dict__.get("__pydantic_fields__")
    if isinstance(pydantic_fields, dict):  # type arguments are filled in here, and not in the annotations
        for pydantic_field in pydantic_fields.values():
            yield getattr(pydantic_field, "annotation", None)
    if not _has_fields(cls):
        return
    for owner in cls.__mro__:
        for _, annotation in _annotations_of_owner(owner, found):
            yield None if isinstance(annotation, str) else annotation


def _annotations_of_owner(owner: type, found: Found) -> Iterator[tuple[str, object]]:
    """Those that stand in this class itself, resolved where that can be done."""
    if owner.__module__.partition(".")[0] in {"builtins", "typing", "pydantic", "enum"}:
        return
    module = inspect.getmodule(owner)
    scope = {owner.__name__: owner} | {p.__name__: p for p in getattr(owner, "__type_params__", ())}
    for name, annotation in _annotations(owner, found).items():
        resolved = _resolved(annotation, vars(module) if module else {}, scope, found)
        yield name, annotation if resolved is None and isinstance(annotation, str) else resolved


def _has_fields(cls: type) -> bool:
    """Whether the annotations of the class say what its values consist of."""
    marks = ("__dataclass_fields__", "__attrs_attrs__", "__pydantic_fields__", "__struct_fields__", "__total__")
    return any(hasattr(cls, mark) for mark in marks) or (issubclass(cls, tuple) and hasattr(cls, "_fields"))
