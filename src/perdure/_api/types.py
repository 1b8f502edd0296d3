"""Which types values may have beyond those that annotations name: `register`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from .._core.definitions import DEFINITIONS

T = TypeVar("T")


@overload
def register(
    tp: type[T],
    /,
    *,
    encode: Callable[[T], object] | None = None,
    decode: Callable[[Any], T] | None = None,
    aliases: Iterable[str] = (),
) -> type[T]: ...
@overload
def register(
    *,
    encode: Callable[[Any], object] | None = None,
    decode: Callable[[Any], Any] | None = None,
    aliases: Iterable[str] = (),
) -> Callable[[type[T]], type[T]]: ...
def register(
    tp: Any = None,
    /,
    *,
    encode: Callable[[Any], object] | None = None,
    decode: Callable[[Any], Any] | None = None,
    aliases: Iterable[str] = (),
) -> Any:
    """Let values of this type be stored and read; usable as a class decorator, bare and with options.

    Not needed for types that the annotations of a workflow or step name, and for subclasses of these. `encode` gives a
    simpler value for one of exactly this type, `decode` makes one of it: for classes that Perdure cannot take apart
    (arrays, frames, messages). `aliases` are names (`module:Class`) under which values of this type were stored before
    it was moved or renamed, the first one first; that is the name under which they are stored from now on, so that
    processes with the old code and with the new one read each other's values. Raises `UsageError` for what is no class.
    """
    if tp is None:
        return lambda decorated: register(decorated, encode=encode, decode=decode, aliases=aliases)
    DEFINITIONS.types.register(tp, encode=encode, decode=decode, aliases=aliases)
    return tp
