"""Whether a function under a taken name is the same one, defined anew: edited, reloaded, imported twice.

Then it takes the other's place. Else both may be called, and a recovered run could not know which of them it is of.
"""

from __future__ import annotations

from types import CellType, FunctionType
from typing import Any

from .names import module_name

_PLAIN = (str, bytes, int, float, bool, type(None))
_EMPTY = object()


def is_defined_anew(old: FunctionType, old_spec: object, new: FunctionType) -> bool:
    """Whether `new` stands where `old` stood, whose module was loaded by `old_spec`.

    A reload gives the module another spec, an edited cell of a notebook has another file name, a second import (the
    main script's, a server's) another dict. What is left is one definition that was executed again: a factory, a loop.
    """
    if (module_name(old.__module__), old.__qualname__) != (module_name(new.__module__), new.__qualname__):
        return False
    was, now = old.__code__, new.__code__
    if old.__globals__ is not new.__globals__:
        return was.co_filename == now.co_filename
    if was is now:
        return not what_differs(old, new)
    if new.__globals__.get("__spec__") is not old_spec or was.co_filename != now.co_filename:
        return True
    return was.co_firstlineno == now.co_firstlineno


def what_differs(old: FunctionType, new: FunctionType) -> list[str]:
    """The variables around two functions of one definition, and the defaults, that are not the same in both."""
    names = [
        name
        for name, was, now in zip(new.__code__.co_freevars, old.__closure__ or (), new.__closure__ or (), strict=True)
        if not _is_same(_content(was), _content(now))
    ]
    if not _is_same(old.__defaults__, new.__defaults__) or not _is_same(old.__kwdefaults__, new.__kwdefaults__):
        names.append("the defaults")
    return names


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # of a name that is bound later, such as the function's own
        return _EMPTY


def _is_same(was: Any, now: Any) -> bool:
    """Without asking the values' own code; of two durable functions, whether they have one name."""
    if was is now or was is _EMPTY or now is _EMPTY:
        return True
    if type(was) is not type(now):
        return False
    if isinstance(was, tuple):
        return len(was) == len(now) and all(map(_is_same, was, now))
    if isinstance(was, dict):
        return was.keys() == now.keys() and all(_is_same(was[name], now[name]) for name in was)
    if isinstance(was, _PLAIN):
        return bool(was == now)
    definitions = [getattr(function, "__perdure__", None) for function in (was, now)]
    return None not in definitions and definitions[0].name == definitions[1].name  # type: ignore[union-attr]
