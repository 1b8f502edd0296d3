"""Whether a value is so large that writing it takes noticeable time, told without writing it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

LONG_TEXT: Final = 100_000
"""Characters of a stored text from which on it is read and written beside an event loop, not on it."""
_MANY_PARTS: Final = 2_000
_SIZED = (list, tuple, dict, set, frozenset)
_SMALL = (int, float, bool, type(None))


def is_heavy(value: Any) -> bool:
    """Whether the value has many parts or long texts; looks at no more of it than it takes to tell."""
    if type(value) in _SMALL:
        return False
    parts, characters = _MANY_PARTS, LONG_TEXT
    waiting: list[Any] = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, (str, bytes, bytearray)):
            characters -= len(current)
        elif isinstance(current, _SIZED):
            parts -= len(current)
        if parts < 0 or characters < 0:
            return True
        if isinstance(current, dict):
            waiting.extend(current.values())
        elif isinstance(current, _SIZED):
            waiting.extend(current)
        else:
            with suppress(AttributeError):
                waiting.append(object.__getattribute__(current, "__dict__"))
                parts -= 1
    return False
