"""What type checkers see of `gather` and `first`, which give a value in sync code, and a coroutine on an event loop:
what is both. Nothing is ever of these classes.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar, TypeVarTuple

from .handle import Handle

R = TypeVar("R")
Rs = TypeVarTuple("Rs")


class Values(list[R]):
    """The values of calls of one type; awaited, the same."""

    def __await__(self) -> Generator[Any, None, list[R]]:
        raise NotImplementedError


class Each(tuple[*Rs]):
    """The values of calls of several types, each at its place; awaited, the same. In truth they are a list, as those of
    `asyncio.gather`.
    """

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, tuple[*Rs]]:
        raise NotImplementedError


class First(Handle[R]):
    """The handle that ends first; awaited, that handle, and not the value of its run."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, Handle[R]]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        raise NotImplementedError
