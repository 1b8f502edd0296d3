"""Whether plain JSON data is what a JSON Schema says, as far as that can be told without the code that made the schema.

What a type says of structure is checked: types, members, enumerations, lengths and bounds. Anything else (formats, a
model's own validators) is left to the type itself, where the data arrives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

DEEPEST: Final = 200

_TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "object": lambda data: isinstance(data, dict),
    "array": lambda data: isinstance(data, list),
    "string": lambda data: isinstance(data, str),
    "integer": lambda data: isinstance(data, int) and not isinstance(data, bool),
    "number": lambda data: isinstance(data, (int, float)) and not isinstance(data, bool),
    "boolean": lambda data: isinstance(data, bool),
    "null": lambda data: data is None,
}

_BOUNDS: Final[dict[str, tuple[str, Callable[[Any, Any], bool]]]] = {
    "minimum": ("is below {}", lambda data, bound: data < bound),
    "maximum": ("is above {}", lambda data, bound: data > bound),
    "exclusiveMinimum": ("is not above {}", lambda data, bound: data <= bound),
    "exclusiveMaximum": ("is not below {}", lambda data, bound: data >= bound),
}

_LENGTHS: Final = {"minLength": str, "minItems": list, "maxLength": str, "maxItems": list}


def mismatch(schema: Mapping[str, Any], data: object) -> str | None:
    """What is wrong with the data, and where; None where nothing is that the schema tells."""
    return next(_wrong(schema, data, "$", schema, 0), None)


def _wrong(schema: Any, data: Any, path: str, root: Mapping[str, Any], depth: int) -> Iterator[str]:
    if schema is False:
        yield f"{path} is not expected"
    if not isinstance(schema, Mapping) or depth > DEEPEST:
        return
    if isinstance(reference := schema.get("$ref"), str):
        yield from _wrong(_referred(root, reference), data, path, root, depth + 1)
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_TYPES.get(kind, lambda data: True)(data) for kind in kinds):
        yield f"{path} is {_shown(data)}, not of type {' or '.join(kinds)}"
        return
    if "enum" in schema and not any(_equal(data, one) for one in schema["enum"]):
        yield f"{path} is none of {', '.join(map(repr, schema['enum']))}"
    if "const" in schema and not _equal(data, schema["const"]):
        yield f"{path} is not {schema['const']!r}"
    for part in schema.get("allOf", ()):
        yield from _wrong(part, data, path, root, depth + 1)
    for choice in ("anyOf", "oneOf"):
        if parts := schema.get(choice):
            found = [next(_wrong(part, data, path, root, depth + 1), None) for part in parts]
            if None not in found:
                yield f"{path} is none of what is allowed: {'; '.join(map(str, found))}"
    yield from _out_of_bounds(schema, data, path)
    if isinstance(data, dict):
        yield from _wrong_members(schema, data, path, root, depth)
    if isinstance(data, list):
        yield from _wrong_items(schema, data, path, root, depth)


def _referred(root: Mapping[str, Any], reference: str) -> Any:
    found: Any = root
    for part in reference.removeprefix("#").split("/")[1:]:
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, Mapping) else None
    return found


def _wrong_members(
    schema: Mapping[str, Any], data: dict[str, Any], path: str, root: Mapping[str, Any], depth: int
) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in data:
            yield f"{path} has no {name!r}"
    members = schema.get("properties", {})
    for name, value in data.items():
        if name in members:
            yield from _wrong(members[name], value, f"{path}.{name}", root, depth + 1)
        elif "additionalProperties" in schema:
            yield from _wrong(schema["additionalProperties"], value, f"{path}.{name}", root, depth + 1)


def _wrong_items(
    schema: Mapping[str, Any], data: list[Any], path: str, root: Mapping[str, Any], depth: int
) -> Iterator[str]:
    first: Sequence[Any] = schema.get("prefixItems", ())
    for place, value in enumerate(data):
        part = first[place] if place < len(first) else schema.get("items")
        yield from _wrong(part, value, f"{path}[{place}]", root, depth + 1)


def _out_of_bounds(schema: Mapping[str, Any], data: Any, path: str) -> Iterator[str]:
    if _TYPES["number"](data):
        for name, (told, is_out) in _BOUNDS.items():
            if name in schema and is_out(data, schema[name]):
                yield f"{path} {told.format(schema[name])}"
    for name, kind in _LENGTHS.items():
        if name in schema and isinstance(data, kind):
            length, bound = len(data), schema[name]
            if length < bound if name.startswith("min") else length > bound:
                yield f"{path} has the length {length}, and {name} is {bound}"
    if isinstance(data, str) and "pattern" in schema:
        with suppress(re.error):  # of another dialect
            if re.search(schema["pattern"], data) is None:
                yield f"{path} does not match {schema['pattern']}"


def _equal(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _shown(data: object) -> str:
    names = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(data), "a number")
