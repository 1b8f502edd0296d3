"""What a process has defined: forgotten, as if another version of the program, or none of it, had been started."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from perdure._core.definitions import DEFINITIONS, Definition

TYPES = DEFINITIONS.types
"""The types of values that were registered."""


def forget_functions(prefixes: str | tuple[str, ...]) -> dict[str, Definition]:
    """Those whose names begin so are not defined any more. What `define_again` takes."""
    known = DEFINITIONS._by_name
    return {name: known.pop(name) for name in list(known) if name.startswith(prefixes)}


def define_again(functions: dict[str, Definition]) -> None:
    """They are."""
    DEFINITIONS._by_name.update(functions)


def forget_queues(names: Iterable[str]) -> dict[str, Any]:
    """This process serves them no more. What `serve_again` takes."""
    known = DEFINITIONS._queues
    return {name: known.pop(name) for name in names if name in known}


def serve_again(queues: dict[str, Any]) -> None:
    """It does, where nobody has made another of the name meanwhile."""
    for name, meant in queues.items():
        DEFINITIONS._queues.setdefault(name, meant)


def forget_schedules() -> None:
    """None is declared."""
    DEFINITIONS._schedules.clear()
