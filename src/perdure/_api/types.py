"""Which types values may have beyond those that annotations name: `register`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, overload

from .._core.definitions import DEFINITIONS
from .._core.serialization.revisions import NO_UPCASTERS

T = TypeVar("T")


@overload
def register(
    tp: type[T],
    /,
    *,
    encode: Callable[[T], object] | None = None,
    decode: Callable[[Any], T] | None = None,
    aliases: Iterable[str] = (),
    version: int = 1,
    upcasters: Mapping[int, Callable[[Any], Any]] = NO_UPCASTERS,
) -> type[T]: ...
@overload
def register(
    *,
    encode: Callable[[Any], object] | None = None,
    decode: Callable[[Any], Any] | None = None,
    aliases: Iterable[str] = (),
    version: int = 1,
    upcasters: Mapping[int, Callable[[Any], Any]] = NO_UPCASTERS,
) -> Callable[[type[T]], type[T]]: ...
def register(
    tp: Any = None,
    /,
    *,
    encode: Callable[[Any], object] | None = None,
    decode: Callable[[Any], Any] | None = None,
    aliases: Iterable[str] = (),
    version: int = 1,
    upcasters: Mapping[int, Callable[[Any], Any]] = NO_UPCASTERS,
) -> Any:
    """Let values of this type be stored and read; usable as a class decorator, bare and with options.

    Not needed for types that the annotations of a workflow or step name, and for subclasses of these. `encode` gives a
    simpler value for one of exactly this type, `decode` makes one of it: for classes that Perdure cannot take apart
    (arrays, frames, messages). `aliases` are names (`module:Class`) under which values of this type were stored before
    it was moved or renamed, the first one first; that is the name under which they are stored from now on, so that
    processes with the old code and with the new one read each other's values.

    `version` is raised when values that were stored before mean something else than the class does now; 1 is that of a
    class that says nothing. `upcasters` has functions by the version that each takes; each gives plain values of the
    next: of a class with fields a dict of them, of an enum the member's name, of a type with `encode` what that gave,
    of a subclass of a builtin the builtin. The last one may give an instance. They run in one another's wake, wherever
    such a value is read, and must not depend on anything but what they get. A process with an older version passes
    values of a newer one on. Raises `UsageError` for what is no class, no version or no function.
    """
    options: dict[str, Any] = {"aliases": aliases, "version": version, "upcasters": upcasters}
    if tp is None:
        return lambda decorated: register(decorated, encode=encode, decode=decode, **options)
    DEFINITIONS.types.register(tp, encode=encode, decode=decode, **options)
    return tp
