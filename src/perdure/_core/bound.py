"""What a method is bound to: a class, found again by its name, or an object, which is an argument like every other.

An object of a step is known by its attributes, compared and copied like the other arguments; its class need not be
known to the serializer, since nobody makes it anew in another process.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from ..errors import SerializationError
from .names import module_name
from .serialization.sameness import same

CLASS_MARK: Final = "perdure:class"
"""In stored arguments, in the place of the class that a class method is bound to, before the class's name."""
OBJECT_MARK: Final = "perdure:self"
_HEAP_TYPE: Final = 1 << 9  # Py_TPFLAGS_HEAPTYPE
_NO_STATE: Final = frozenset({"__dict__", "__weakref__", "__orig_class__"})


def bound_parameter(function: Callable[..., Any], signature: inspect.Signature) -> bool:
    """Whether the first argument is what a method is bound to. By name: a decorator cannot see more of it."""
    nested = function.__qualname__.rpartition("<locals>.")[2]
    first = next(iter(signature.parameters), None)
    return "." in nested and first in ("self", "cls")


def mark_of(cls: type) -> str:
    """What stands for a class in arguments."""
    return f"{CLASS_MARK} {module_name(cls.__module__)}:{cls.__qualname__}"


def class_of_mark(argument: object, *, module: str, is_method: Callable[[object], bool]) -> type | None:
    """The class that the argument stands for, None if for none. `module` is the method's own.

    The class may inherit the method, override it and be asked for it by `super()`, or hide it behind a private name.
    Its module is loaded: nothing is imported for data.
    """
    if not isinstance(argument, str) or not argument.startswith(CLASS_MARK + " "):
        return None
    name = argument.removeprefix(CLASS_MARK + " ")
    home, _, qualname = name.partition(":")
    here: Any = sys.modules.get(home)
    if module_name(module) == home:
        here = sys.modules.get(module, here)
    for part in qualname.split("."):
        here = vars(here).get(part) if isinstance(here, type) or inspect.ismodule(here) else None
    if not isinstance(here, type) or not any(
        is_method(found) for base in here.__mro__ for found in vars(base).values()
    ):
        raise SerializationError(f"class {name} is not in this process, or does not have the method")
    return here


def attributes_of(bound: object) -> dict[str, Any] | None:
    """All that an object consists of, but for what its cached properties keep; None where that is not all attributes,
    as of a `tuple`, or nothing that can be copied, as of an `Enum`.
    """
    cls = type(bound)
    names = _names_of_state(cls)  # type: ignore[arg-type]  # mypy takes a type[object] for unhashable
    if names is None:
        return None
    slots, cached = names
    state = {name: value for name, value in getattr(bound, "__dict__", {}).items() if name not in cached}
    for name in slots:
        if hasattr(bound, name):
            state[name] = getattr(bound, name)
    return state


@functools.lru_cache(maxsize=1024)
def _names_of_state(cls: type) -> tuple[tuple[str, ...], frozenset[str]] | None:
    """The slots of the class, and the attributes that are no state; None where C keeps more than attributes."""
    if issubclass(cls, Enum) or any(not base.__flags__ & _HEAP_TYPE for base in cls.__mro__[:-1]):
        return None
    slots: list[str] = []
    cached = set(_NO_STATE)
    for base in cls.__mro__:
        declared = vars(base).get("__slots__", ())
        for name in (declared,) if isinstance(declared, str) else declared:
            is_private = name.startswith("__") and not name.endswith("__")
            slots.append(f"_{base.__name__.lstrip('_')}{name}" if is_private else name)
        cached.update(name for name, value in vars(base).items() if isinstance(value, functools.cached_property))
    return tuple(name for name in slots if name not in cached), frozenset(cached)


def identity_of(bound: object, key: Callable[[Any], object] | None) -> object:
    """What stands for the object, or class, in the arguments that are compared."""
    if isinstance(bound, type):
        return mark_of(bound)
    if key is not None:
        return key(bound)
    state = attributes_of(bound)
    name = f"{module_name(type(bound).__module__)}:{type(bound).__qualname__}"
    return bound if state is None else [f"{OBJECT_MARK} {name}", state]


def twin_of(bound: Any, identity: Any, key: Callable[[Any], object] | None) -> Any:
    """What a body gets for the object: a copy, made of what was stored of it; with `key`, and of a class, itself."""
    if key is not None or isinstance(bound, type):
        return bound
    if attributes_of(bound) is None:
        return identity
    twin = object.__new__(type(bound))
    for name, value in identity[1].items():
        object.__setattr__(twin, name, value)
    share_cached(bound, twin)
    return twin


def share_cached(one: object, other: object) -> None:
    """Give what cached properties keep of `one` to its twin: a connection is not made anew for each call."""
    _, cached = _names_of_state(type(one)) or ((), frozenset())  # type: ignore[arg-type]  # as above
    kept = getattr(other, "__dict__", {})
    for name, value in list(getattr(one, "__dict__", {}).items()):
        if name in cached:
            kept.setdefault(name, value)


def changes_of(was: dict[str, Any], twin: object) -> list[str]:
    """The attributes that a body has changed, added or removed; `was` is what was stored, read anew."""
    now = attributes_of(twin) or {}
    return [name for name in {**was, **now} if name not in was or name not in now or not same(was[name], now[name])]
