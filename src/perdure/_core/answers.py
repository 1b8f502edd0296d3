"""What the answer to a hook must be: data from outside, made into a value of the type that the workflow waits for.

Whoever answers may be a web page, a person at a terminal, or code without the type: the answer travels as plain JSON
data, checked by the type's JSON Schema where it is given, and becomes the value where it is received. pydantic makes
what is pydantic's, msgspec all else.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any, Final, get_args, get_origin

import msgspec

from ..errors import UsageError
from .schema_check import mismatch
from .serialization.annotations import types_of
from .serialization.registry import type_name

_PYDANTICS: Final = frozenset({"pydantic", "pydantic_core", "annotated_types"})


class Misfit(ValueError):  # noqa: N818  # on its way to be told as one of ours
    """The data is not what it must be; the message says where."""


class Shape:
    """A type, as the answer to a hook."""

    __slots__ = ("_make", "name", "schema")

    def __init__(self, name: str, schema: str | None, make: Callable[[Any], Any]) -> None:
        self.name = name
        self.schema = schema
        """As JSON Schema; None where there is none, and then anything is taken that can be stored."""
        self._make = make

    def make(self, data: Any) -> Any:
        """The value that the data stands for. Raises `Misfit`."""
        try:
            return self._make(data)
        except Exception as error:  # a type's own validators may raise anything
            raise Misfit(_told(error)) from error


ANYTHING: Final = Shape("Any", None, lambda data: data)


def shape_of(tp: Any) -> Shape:
    """That of a type. Raises `UsageError` for what is none."""
    try:
        return _cached(tp)
    except TypeError as error:  # it cannot be hashed
        if "unhashable" in str(error):
            return _shape(tp)
        raise


def _shape(tp: Any) -> Shape:
    if tp is Any or tp is object:
        return ANYTHING
    if not (isinstance(tp, type) or get_origin(tp) is not None or tp is None or hasattr(tp, "__value__")):
        raise UsageError(
            f"hook({tp!r}): give the type of the answer: a dataclass, a pydantic model, bool, str | None …"
        )
    return _by_pydantic(tp) if _is_pydantics(tp) else _by_msgspec(tp)


_cached = lru_cache(maxsize=512)(_shape)


def check_schema(schema: str | None, data: Any) -> None:
    """Raise `Misfit` where the data cannot be what the schema says."""
    if schema is not None and (wrong := mismatch(json.loads(schema), data)) is not None:
        raise Misfit(wrong)


def plain_of(value: Any) -> Any:
    """The value as plain JSON data. Raises `Misfit` where it has no such form."""
    try:
        return msgspec.to_builtins(value, enc_hook=_simpler, str_keys=True)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise Misfit(f"it has no JSON form: {error}") from error


def _simpler(value: Any) -> Any:
    core = sys.modules.get("pydantic_core")
    if core is None:
        raise NotImplementedError(f"a {type(value).__name__}")
    return core.to_jsonable_python(value)


def _name(tp: Any) -> str:
    if get_origin(tp) is Annotated:
        return _name(get_args(tp)[0])
    return type_name(tp) if isinstance(tp, type) and tp.__module__ != "builtins" else getattr(tp, "__name__", str(tp))


def _is_pydantics(tp: Any) -> bool:
    """Whether it is, or holds, what only pydantic can check. Then pydantic is loaded."""
    if "pydantic" not in sys.modules:
        return False
    if get_origin(tp) is Annotated and any(
        type(part).__module__.partition(".")[0] in _PYDANTICS for part in get_args(tp)
    ):
        return True
    return any(
        hasattr(found, "__pydantic_fields__") or found.__module__.partition(".")[0] in _PYDANTICS
        for found in types_of(tp).types
    ) or any(_is_pydantics(part) for part in get_args(tp) if get_origin(part) is not None)


def _by_pydantic(tp: Any) -> Shape:
    adapter = sys.modules["pydantic"].TypeAdapter(tp)
    try:
        schema = json.dumps(adapter.json_schema())
    except Exception:  # a type of which pydantic makes none
        schema = None
    if schema is None:
        return Shape(_name(tp), None, adapter.validate_python)
    return Shape(_name(tp), schema, lambda data: adapter.validate_json(json.dumps(data)))


def _by_msgspec(tp: Any) -> Shape:
    try:
        schema = json.dumps(msgspec.json.schema(tp))
    except (TypeError, RuntimeError):  # a class of somebody's own: what is given must be one
        schema = None
    except NameError as error:
        raise UsageError(f"hook({_name(tp)}): its annotations cannot be resolved: {error}") from error
    return Shape(_name(tp), schema, lambda data: msgspec.convert(data, tp))


def _told(error: Exception) -> str:
    """What is wrong, in one line: of pydantic's lines the first, whatever the data was."""
    lines = getattr(error, "errors", None)
    if callable(lines) and type(error).__module__.startswith("pydantic"):
        first, *others = lines(include_input=False, include_url=False, include_context=False)
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        return f"${path}: {first['msg']}" + (f" (and {len(others)} more)" if others else "")
    return str(error) or type(error).__name__
