"""pydantic's `ValidationError`, which lives outside Python and has a constructor of its own, which takes its lines.

pydantic is never imported: an error of its own exists, and is asked for, only where it is loaded already.
"""

from __future__ import annotations

import sys
from typing import Any

from .refusal import Refusal
from .tags import expect


def _core() -> Any:
    return sys.modules.get("pydantic_core")


def validation_of(error: Any) -> dict[str, object] | None:
    """What a `ValidationError` says; None for any other error."""
    core = _core()
    if core is None or type(error) is not core.ValidationError:
        return None
    is_hidden = "input_value=" not in str(error)
    lines = [
        {name: part for name, part in line.items() if name != "url" and not (is_hidden and name == "input")}
        for line in error.errors()
    ]
    return {"title": error.title, "is_hidden": is_hidden, "lines": lines}


def make_validation_error(cls: Any, validation: object) -> BaseException:
    """The error of these lines; a type of line that pydantic itself does not know keeps its message."""
    core, parts = _core(), expect(validation, dict)
    if core is None or cls is not core.ValidationError:
        raise Refusal("is a ValidationError of another pydantic than this process has")
    made: BaseException = core.ValidationError.from_exception_data(
        expect(parts.get("title"), str),
        [_line(core, line) for line in expect(parts.get("lines"), list)],
        hide_input=bool(parts.get("is_hidden")),
    )
    BaseException.args.__set__(made, ())  # type: ignore[attr-defined]  # as one that was raised has none
    return made


def _line(core: Any, line: object) -> dict[str, object]:
    given = expect(line, dict)
    kind, message, context = expect(given.get("type"), str), expect(given.get("msg"), str), given.get("ctx")
    made = {"loc": tuple(expect(given.get("loc"), list, tuple)), "input": given.get("input")}
    try:
        core.PydanticKnownError(kind, context)
    except (KeyError, ValueError, TypeError):  # a validator's own type, or a context that could not be stored
        return made | {"type": core.PydanticCustomError(kind, message, context)}
    return made | {"type": kind} | ({} if context is None else {"ctx": context})
