"""The fields of classes, in their order, each with what makes its default (None: it has none).

pydantic, attrs and msgspec are never imported here: a class of theirs exists only where they are loaded already.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

Default = Callable[[], object] | None


def _constant(value: object) -> Callable[[], object]:
    return lambda: value


def dataclass_defaults(cls: Any) -> dict[str, Default]:
    """Of a dataclass."""
    return {
        field.name: field.default_factory
        if field.default_factory is not MISSING
        else (_constant(field.default) if field.default is not MISSING else None)
        for field in fields(cls)
    }


def attrs_defaults(cls: Any) -> dict[str, Default]:
    """Of a class of attrs; a factory that takes the instance gives none."""
    attrs = sys.modules["attr"]  # loaded: the class is made by it
    found: dict[str, Default] = {}
    for attribute in cls.__attrs_attrs__:
        default = attribute.default
        if isinstance(default, attrs.Factory):
            found[attribute.name] = None if default.takes_self else default.factory
        else:
            found[attribute.name] = None if default is attrs.NOTHING else _constant(default)
    return found


def struct_defaults(cls: Any) -> dict[str, Default]:
    """Of a struct of msgspec."""
    structs = sys.modules["msgspec"].structs  # loaded: the class is made by it
    missing = sys.modules["msgspec"].NODEFAULT
    return {
        field.name: field.default_factory
        if field.default_factory is not missing
        else (_constant(field.default) if field.default is not missing else None)
        for field in structs.fields(cls)
    }


def model_defaults(cls: Any) -> dict[str, Default]:
    """Older versions of pydantic 2 keep the fields under the second name only."""
    declared: dict[str, Any] = getattr(cls, "__pydantic_fields__", None) or cls.model_fields
    return {
        name: None if field.is_required() else functools.partial(field.get_default, call_default_factory=True)
        for name, field in declared.items()
    }


def tuple_defaults(cls: Any) -> dict[str, Default]:
    """Of a NamedTuple."""
    given = getattr(cls, "_field_defaults", {})
    return {name: _constant(given[name]) if name in given else None for name in cls._fields}
