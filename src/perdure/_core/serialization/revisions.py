"""Versions of a class: which one a value was stored with, and how it becomes one of the class as it is now."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from ...errors import UsageError
from .refusal import Refusal

Upcaster = Callable[[Any], Any]
"""Makes plain values of one version (the fields as a dict, an enum's name, what `encode` gave) those of the next."""

NO_UPCASTERS: Final[Mapping[int, Upcaster]] = MappingProxyType({})


@dataclass(slots=True, frozen=True)
class Revision:
    """A class's version and its upcasters: the one at n leads from n to n + 1."""

    version: int
    upcasters: Mapping[int, Upcaster]


FIRST: Final = Revision(1, NO_UPCASTERS)
"""Of every class that says nothing."""


class Mark(NamedTuple):
    """What lies beside a stored value of a class: the class's version then, and a digest of its declaration."""

    version: int
    digest: str

    def __str__(self) -> str:
        return self.digest if self.version == 1 else f"{self.version}:{self.digest}"

    @property
    def is_empty(self) -> bool:
        """Whether it says nothing, and need not be kept."""
        return self.version == 1 and not self.digest


NO_MARK: Final = Mark(1, "")


def mark_from(text: str) -> Mark:
    """The mark that was written so."""
    version, colon, digest = text.rpartition(":")
    return Mark(int(version) if colon else 1, digest)


def check_revision(tp: type, version: object, upcasters: object) -> Revision:
    """Raise `UsageError` for what is no version, or no upcasters of it."""
    what = f"register({tp.__qualname__})"
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise UsageError(
            f"{what}: version= is a whole number from 1 on, the one that comes after the last; got {version!r}"
        )
    if not isinstance(upcasters, Mapping):
        raise UsageError(f"{what}: upcasters= is a dict such as {{1: from_1_to_2}}; got {type(upcasters).__name__}")
    for number, upcaster in upcasters.items():
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number < version:
            raise UsageError(
                f"{what}: upcasters= has {number!r}, which is no version before version={version}: the key is the one "
                "that the function takes, and it gives the next"
            )
        if not callable(upcaster) or inspect.iscoroutinefunction(upcaster):
            raise UsageError(f"{what}: upcasters[{number}] is no plain function")
    return Revision(version, MappingProxyType(dict(upcasters)))


def upcast(plain: Any, was: Mark, revision: Revision, cls: type, name: str) -> Any:
    """What the upcasters make of it, one after the other; the last may give an instance of the class."""
    for version in range(was.version, revision.version):
        upcaster = revision.upcasters.get(version)
        if upcaster is None:
            raise Refusal(
                f"was stored as version {was.version} of {name}, of which there is version {revision.version} now, and "
                f"nothing leads on from version {version}: {advice(cls, revision.version, version)}"
            )
        given = type(plain)
        try:
            plain = upcaster(plain)
        except Exception as error:  # it is the user's code
            raise Refusal(
                f"was stored as version {was.version} of {name}, and the upcaster from version {version} "
                f"{_raised(error)}: mend it"
            ) from error
        is_made = type(plain) is cls and version + 1 == revision.version
        if given is dict and not is_made and not isinstance(plain, dict):
            raise Refusal(
                f"was stored as version {was.version} of {name}, and the upcaster from version {version} gave "
                f"{type(plain).__name__} where the fields belong, as a dict: mend it"
            )
    return plain


def advice(cls: type, version: int, since: int) -> str:
    """How a user says what becomes of old values."""
    return (
        "say how old values become new ones, by "
        f"perdure.register({cls.__name__}, version={version}, upcasters={{{since}: …}})"
    )


def _raised(error: Exception) -> str:
    """What an upcaster raised, and where; without the message, in which a value may stand."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = "" if place is None else f" in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}"
    return f"raised {type(error).__name__}{where}"
