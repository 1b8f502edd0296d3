"""The head of a stored text: with which declaration of its classes it was written.

`{"$types": [{"shop:Order": "1f3a9c02"}, …]}` stands around the JSON of a value in which such classes occur, once for
the whole text; a text without them has no head. Fingerprints are taken of what stands inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from .registry import TypeRegistry
from .revisions import NO_MARK, Mark, mark_from

TYPES: Final = "$types"
HEADED: Final = f'{{"{TYPES}":['
"""How a text with a head begins."""
_HEAD: Final = re.compile(re.escape(HEADED) + r'\{("[^"]*":"[^"]*",?)*\},')
_MOST_KNOWN: Final = 4_096
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(dict[str, tuple[dict[str, str], msgspec.Raw]]).decode


class Head(NamedTuple):
    """The marks of a text; those that differ from what this process has, for classes that it knows; and the versions
    beyond the first among them, as one text.
    """

    marks: dict[str, Mark]
    changed: dict[str, Mark]
    versions: str


def with_head(text: str, met: set[str], registry: TypeRegistry) -> str:
    """The text, with the marks of the classes of these names around it."""
    known = registry.heads.by_names
    names = frozenset(met)
    head = known.get(names)
    if head is None:
        head = known[names] = head_of(marks_of(names, registry))
    return f"{head}{text}]}}" if head else text


def marks_of(names: Iterable[str], registry: TypeRegistry) -> dict[str, Mark]:
    """What this process keeps beside values of the classes of these names."""
    classes = {name: registry.resolve(name) for name in sorted(names)}
    marks = {name: registry.mark_of(cls) for name, cls in classes.items() if cls is not None}
    return {name: mark for name, mark in marks.items() if not mark.is_empty}


def head_of(marks: Mapping[str, Mark]) -> str:
    """What comes before a text with these marks; after it comes `]}`."""
    if not marks:
        return ""
    return f"{HEADED}{_encode({name: str(mark) for name, mark in marks.items()}).decode()},"


def parted(text: str, registry: TypeRegistry) -> tuple[Head, str]:
    """The head of a stored text, and the text itself."""
    known = registry.heads.by_text
    if not text.startswith(HEADED):
        head = known.get("")
        if head is None:
            head = known[""] = Head({}, _changed_since({}, registry), "")
        return head, text
    end = text.find("},", len(HEADED)) + 2
    head = known.get(text[:end])
    if head is not None:
        return head, text[end:-2]
    marks, raw = _decode(text)[TYPES]
    made = {name: mark_from(mark) for name, mark in marks.items()}
    head, inner = Head(made, _changed_since(made, registry), versions_of(made)), bytes(raw).decode()
    if text[end:-2] == inner and len(known) < _MOST_KNOWN:  # else a name has the end of a head in it
        known[text[:end]] = head
    return head, inner


def _changed_since(marks: dict[str, Mark], registry: TypeRegistry) -> dict[str, Mark]:
    """Those of which this process has another declaration, or version; classes that it does not know are none."""
    changed = {name: NO_MARK for name in registry.revised() if name not in marks}
    for name, mark in marks.items():
        cls = registry.resolve(name)
        if cls is not None and registry.mark_of(cls) != mark:
            changed[name] = mark
    return changed


def versions_of(marks: Mapping[str, Mark]) -> str:
    """Which versions beyond the first are in it, as one text; empty where there is none."""
    return ",".join(f"{name}@{mark.version}" for name, mark in sorted(marks.items()) if mark.version > 1)


def without_head(text: str, length: int) -> str:
    """The beginning of a stored text, without its head; `length`: a longer one may be cut off."""
    found = _HEAD.match(text)
    if found is None:
        return text
    return text[found.end() :] if len(text) > length else text[found.end() :].removesuffix("]}")
