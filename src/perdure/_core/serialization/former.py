"""Whether a call asks for what is recorded, though a class has been declared otherwise since.

A replay makes a value from its record, in which a field that was added since has its default, and passes it on to a
call that was recorded without that field. The fingerprint of that call is one of the forms that are tried here: fields
that hold their default are left out. So what agrees is the same value under the older declaration, and nothing else.

Where a class has another version, upcasters stand between what was recorded and what is asked: nothing can be compared,
and a call of the same name that has a value of that class is taken for the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, combinations, islice, product
from typing import Any, Final

from ..._entries import Stored
from .encoding import Encoder, Tree, canonical
from .headed import HEADED, parted
from .json_text import canonical_tree, digest_of
from .layouts import layout_of
from .registry import TypeRegistry

JSON: Final = "json"

_MOST: Final = 256
"""Forms that are tried."""
_MOST_FIELDS: Final = 6
"""With so many fields or fewer all their combinations are tried; else only the last ones of the class."""
_BUDGET: Final = 100_000
_TAGS: Final = ("$dataclass", "$model", "$attrs", "$struct", "$named_tuple")
_NOTHING: Final = object()

Fields = dict[str, Any]


def is_as_before(registry: TypeRegistry, recorded: str, preview: str | None, asked: str, stored: Stored | None) -> bool:
    """Whether the fingerprints `recorded` and `asked` are of the same arguments. `preview` is what is kept of the
    recorded ones; `stored` are those that are asked for now.
    """
    if stored is None or stored.codec != JSON or not stored.text.startswith(HEADED):
        return False
    try:
        head, text = parted(stored.text, registry)
        if recorded.partition(".")[2] != asked.partition(".")[2]:
            return _may_be_upcast(preview, [name for name in head.marks if name in registry.revised()])
        trees = _former_trees(canonical_tree(text), registry)
        return any(digest_of(canonical(tree), head.versions) == recorded for tree in trees)
    except Exception:  # the defaults of fields are the user's code; what cannot be told is no
        return False


def _may_be_upcast(preview: str | None, revised: list[str]) -> bool:
    """Whether a value of these classes can have been among the recorded arguments."""
    is_whole = preview is not None and not preview.endswith("…")
    return bool(revised) and (not is_whole or any(name in str(preview) for name in revised))


def _former_trees(tree: Tree, registry: TypeRegistry) -> Iterator[Tree]:
    """The trees of the same value under declarations without some of the fields that hold their defaults."""
    found: dict[str, list[tuple[Fields, Fields]]] = {}
    for tag, name, state in _instances(tree):
        fields = state.get("fields") if tag == "$model" else state
        if type(fields) is dict:
            found.setdefault(name, []).append((state, fields))
    choices: list[list[tuple[str, tuple[str, ...]]]] = []
    for name, instances in found.items():
        droppable = _defaults_in([fields for _, fields in instances], name, registry)
        if droppable:
            choices.append([(name, fields) for fields in _subsets(droppable)])
    for chosen in islice(product(*choices), 1, _MOST):  # the first is the tree as it is
        dropped = [(instances, fields) for name, fields in chosen for instances in [found[name]] if fields]
        kept = [_without(state, own, fields) for instances, fields in dropped for state, own in instances]
        yield tree
        for state, before in kept:
            state.clear()
            state.update(before)


def _instances(tree: Tree) -> Iterator[tuple[str, str, Fields]]:
    """The instances in a tree: their tags, names and states, which are parts of the tree."""
    waiting: list[Any] = [tree]
    while waiting:
        current = waiting.pop()
        if type(current) is list:
            waiting.extend(current)
        elif type(current) is dict:
            waiting.extend(current.values())
            tag = next(iter(current), "")
            body = current.get(tag)
            if tag in _TAGS and len(current) == 1 and type(body) is list and len(body) > 1 and type(body[1]) is dict:
                yield tag, body[0], body[1]


def _defaults_in(instances: list[Fields], name: str, registry: TypeRegistry) -> list[str]:
    """The fields that hold their default in each of these, those that were declared last first."""
    cls = registry.resolve(name)
    layout = None if cls is None else layout_of(cls)
    found = []
    for field, default in reversed(list(layout.defaults.items()) if layout is not None else []):
        if default is None:
            continue
        tree = _tree_of(default, registry)
        if all(field in fields and type(fields[field]) is type(tree) and fields[field] == tree for fields in instances):
            found.append(field)
    return found


def _tree_of(default: Callable[[], object], registry: TypeRegistry) -> object:
    """How a field's default is written; something that no field is where it cannot be."""
    try:
        return Encoder(registry, budget=_BUDGET).encode(default())
    except Exception:  # a factory is the user's code, and what it makes need not be storable
        return _NOTHING


def _subsets(fields: list[str]) -> Iterator[tuple[str, ...]]:
    """None of them, those that were declared last, then the other ones."""
    last = [tuple(fields[:count]) for count in range(len(fields) + 1)]
    if len(fields) > _MOST_FIELDS:
        return iter(last)
    others = chain.from_iterable(combinations(fields, count) for count in range(1, len(fields)))
    return chain(last, (subset for subset in others if subset not in last))


def _without(state: Fields, fields: Fields, dropped: tuple[str, ...]) -> tuple[Fields, Fields]:
    """Leave fields out, in place; returns the state and what it was. A model says which were set if not all were."""
    before = dict(state)
    kept = {name: member for name, member in fields.items() if name not in dropped}
    if fields is state:
        state.clear()
        state.update(kept)
        return state, before
    state["fields"] = kept
    if "set" in state:
        names = [name for name in state["set"] if name in kept]
        state.pop("set") if len(names) == len(kept) else state.update(set=names)
    return state, before
