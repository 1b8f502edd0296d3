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

    def name_of(self, tp: type) -> str:
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
    last = refusal if refusal.is_for_good else _obstacle(owner, registry)
    if last is None or not parts:
        return refusal.path, refusal.reason
    kept = f"give what is needed of {type(owner).__name__} in its place: {parts} can be stored"
    if last is refusal:
        return refusal.path, f"{refusal.reason}; or {kept}"
    name = f"{type(owner).__module__}:{type(owner).__qualname__}"[:200]
    why = f"its {last.path.lstrip('$.')} {last.reason.partition(',')[0]}"
    return refusal.path_to(steps), f"is of type {name}, which cannot be stored: {why}; {kept}"


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
