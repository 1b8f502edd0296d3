"""The beginning of a call's stored arguments, kept beside their fingerprint to show people what differs.

What says that it is not to be shown is not kept: fields with `repr=False`, and the password in a URL.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from .encoding import Tree, canonical
from .json_text import decode_tree
from .registry import TypeRegistry

PREVIEW_LENGTH: Final = 200
"""Characters of a preview, at most."""

_LOOKED_AT: Final = PREVIEW_LENGTH * 2
_HIDDEN: Final = "***"
_TYPE: Final = re.compile(r'\{"\$(?:dataclass|model|attrs)":\["([^"]+)"')
_SHAPES: Final = ("$dataclass", "$model", "$attrs")
_PASSWORD: Final = re.compile(r"(://[^/@\s\"]*:)[^/@\s\"]*@")


def preview_of(text: str | bytes, registry: TypeRegistry) -> str:
    """The beginning of the JSON text, with an ellipsis where there is more."""
    head = _head_of(text)
    if '"$' in head and any(_hides(registry.resolve(name)) for name in _TYPE.findall(head)):
        head = _head_of(canonical(_masked(decode_tree(text), registry)))
    if "://" in head:
        head = _PASSWORD.sub(rf"\1{_HIDDEN}@", head)
    return head if len(head) <= PREVIEW_LENGTH else head[: PREVIEW_LENGTH - 1] + "…"


def _head_of(text: str | bytes) -> str:
    """Enough to see what begins in the preview; long texts are not looked at as a whole."""
    return text[:_LOOKED_AT] if isinstance(text, str) else text[: _LOOKED_AT * 4].decode("utf-8", "ignore")


def _hides(cls: type | None) -> bool:
    return cls is not None and bool(_hidden_fields(cls))


@lru_cache(maxsize=1024)
def _hidden_fields(cls: Any) -> frozenset[str]:
    """The fields that the class leaves out of its `repr`."""
    fields: list[tuple[str, Any]] = [(field.name, field) for field in getattr(cls, "__attrs_attrs__", ())]
    for declared in ("__dataclass_fields__", "__pydantic_fields__"):
        found = getattr(cls, declared, None)
        fields.extend(found.items() if isinstance(found, dict) else ())
    return frozenset(name for name, field in fields if getattr(field, "repr", True) is False)


def _masked(tree: Tree, registry: TypeRegistry) -> Tree:
    if isinstance(tree, list):
        return [_masked(member, registry) for member in tree]
    if not isinstance(tree, dict):
        return tree
    made = {key: _masked(member, registry) for key, member in tree.items()}
    tag = next(iter(made), "")
    if tag not in _SHAPES or not isinstance(instance := made[tag], list) or len(instance) != 2:
        return made
    name, state = instance
    cls = registry.resolve(name) if isinstance(name, str) else None
    if cls is not None and isinstance(state, dict):
        fields = state.get("fields") if tag == "$model" else state
        for hidden in _hidden_fields(cls):
            if isinstance(fields, dict) and hidden in fields:
                fields[hidden] = _HIDDEN
    return made
