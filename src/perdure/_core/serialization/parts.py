"""Of an object that cannot be stored: why knowing its class would not help, and which parts of it can be stored."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from .encoding import Encoder
from .refusal import Refusal
from .registry import TypeRegistry, type_name
from .shapes import shape_of

_BUDGET: Final = 1_000_000
"""Bytes that are looked at: this is advice."""
_MOST_SHOWN: Final = 5


class _KnowsAll:
    """A registry to which no class is unknown."""

    def __init__(self, registry: TypeRegistry) -> None:
        self._registry = registry

    def __getattr__(self, name: str) -> Any:
        return getattr(self._registry, name)

    def name_of(self, tp: type) -> str | None:
        """Its own name."""
        return type_name(tp)


def reason_of(refusal: Refusal, registry: TypeRegistry) -> tuple[str, str]:
    """The path and the reason to say. An object that holds what can never be stored is refused as a whole: to make its
    class known, which is what an unknown class needs otherwise, would lead from one error to the next.
    """
    if not refusal.owners or refusal.is_cycle:
        return refusal.path, refusal.reason
    candidates = ((owner, steps, ", ".join(_storable(owner, registry))) for owner, steps in refusal.owners)
    owner, steps, parts = next((found for found in candidates if found[2]), (None, 0, ""))
    unknown = refusal.owners[0][0] if owner is None else owner
    last = refusal if refusal.is_for_good else _obstacle(unknown, registry)
    if last is None or not parts:
        also = "" if last is None or last is refusal else f"; and its {last.path.lstrip('$.')} {last.reason}"
        return refusal.path, refusal.reason + also
    kept = f"give what is needed of {type(owner).__name__} in its place: {parts} can be stored"
    if last is refusal:
        return refusal.path, f"{refusal.reason}; or {kept}"
    name = f"{type(owner).__module__}:{type(owner).__qualname__}"[:200]
    why = f"its {last.path.lstrip('$.')} {last.reason.partition(',')[0]}"
    return refusal.path_to(steps), f"is of type {name}, which cannot be stored: {why}; {kept}"


class _ReplacedError(Refusal):
    """A part is of a class that another one of its name has replaced."""


class _KnowsNewest(_KnowsAll):
    """A registry to which the class that another one of its name has replaced is none."""

    def name_of(self, tp: type) -> str | None:
        """Its name. Raises `_ReplacedError` where that is another class's."""
        name = self._registry.name_of(tp)
        if name is not None and self._registry.resolve(name) is not tp:
            raise _ReplacedError(
                f"is of type {type_name(tp)[:200]}, and of a class that its module has made anew since "
                "(importlib.reload, a cell that ran again): make the object anew, by the new class"
            )
        return name


def replaced_in(value: object, registry: TypeRegistry) -> str | None:
    """Which part of a value is of a class that another one of its name has replaced, and what to do; None where none
    is.
    """
    newest: Any = _KnowsNewest(registry)
    with suppress(Exception):  # as below
        try:
            Encoder(newest, budget=_BUDGET).encode(value)
        except _ReplacedError as refusal:
            return f"{refusal.path} {refusal.reason}"
    return None


def _obstacle(owner: object, registry: TypeRegistry) -> Refusal | None:
    """What would still be refused of it if all classes were known."""
    knowing: Any = _KnowsAll(registry)
    with suppress(Exception):  # as below
        try:
            Encoder(knowing, budget=_BUDGET).encode(owner)
        except Refusal as refusal:
            return refusal
    return None


def _storable(owner: Any, registry: TypeRegistry) -> list[str]:
    """The public fields that can be stored, as they are asked for."""
    kind: Any = type(owner)
    names: list[str] = []
    with suppress(Exception):  # reading a value runs its class's code, and this is advice
        state = shape_of(kind).take(owner)[0]  # type: ignore[union-attr]  # without one it is none of those
        for name, part in state.items():
            if name.isidentifier() and not name.startswith("_") and len(names) < _MOST_SHOWN and _fits(part, registry):
                names.append(f".{name}")
    return names


def _fits(part: object, registry: TypeRegistry) -> bool:
    try:
        Encoder(registry, budget=_BUDGET).encode(part)
    except Exception:  # as above
        return False
    return True
