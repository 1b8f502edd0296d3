"""Reading values of classes that were declared otherwise when they were stored.

What still fits is read as ever: a field was added that has a default, a type was widened. A class with a version of its
own has upcasters, which make plain values of an earlier version those of the next. All else is refused, with what does
not fit and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from .declared import declaration_of
from .decoding import Decoder
from .defaults import Default
from .fitting import misfit_of
from .layouts import layout_of
from .refusal import Refusal
from .registry import Code, TypeRegistry
from .revisions import Mark, advice, upcast
from .shapes import Shape, shape_of
from .tags import expect

_MODEL: Final = "$model"
_OF_FIELDS: Final = frozenset({_MODEL, "$dataclass", "$attrs", "$struct", "$named_tuple"})


class OlderDecoder(Decoder):
    """Makes values where some classes have changed: by the names they are stored under, their marks then."""

    def __init__(self, registry: TypeRegistry, changed: Mapping[str, Mark], *, is_bulk: bool = False) -> None:
        super().__init__(registry, is_bulk=is_bulk)
        self.changed = changed.keys()
        self._marks = changed
        self._being_upcast = 0
        """How many values are being upcast around this one: what they hold may be of a class that is no more."""

    def _instance(self, tag: str, body: Any) -> object:
        name = body[0] if type(body) is list and body and type(body[0]) is str else ""
        cls = self.registry.resolve(name) if name in self.changed else None
        if cls is None or self.registry.revision_of(cls).version <= self._marks[name].version:
            return super()._instance(tag, body)
        self._being_upcast += 1
        try:
            return super()._instance(tag, body)
        finally:
            self._being_upcast -= 1

    def _unknown(self, tag: str, name: str, state: Any) -> object:
        if not self._being_upcast:
            return super()._unknown(tag, name, state)
        simple = self.decode(state)
        return _fields_of(tag, simple) if tag in _OF_FIELDS else simple

    def _make(self, shape: Shape, cls: type, name: str, state: Any) -> object:
        was = self._marks.get(name)
        if was is None:
            return super()._make(shape, cls, name, state)
        revision = self._revision_after(cls, name, was)
        plain = _fields_of(shape.tag, state) if shape.tag in _OF_FIELDS else state
        try:
            made = upcast(plain, was, revision, cls, name)
            if type(made) is cls:
                return made
            now = shape_of(cls)
            if now is None or now is shape or not {now.tag, shape.tag} <= _OF_FIELDS:
                now = shape
            value = super()._make(now, cls, name, _state_of(now.tag, shape.tag, state, made))
            self._check(cls, made)
        except Refusal as refusal:
            if was.version != revision.version:
                raise
            what = f"was stored when {name[:200]} was declared otherwise ({was}, now {self.registry.mark_of(cls)})"
            mend = advice(cls, revision.version + 1, revision.version)
            raise Refusal(f"{what}, and {refusal.reason}: declare it so that it fits, or {mend}") from None
        return value

    def _check(self, cls: type, plain: Any) -> None:
        """Refuse a field that holds what the class does not declare now; its own default always fits."""
        layout = layout_of(cls)
        declared = declaration_of(cls)
        if layout is None or declared is None or type(plain) is not dict:
            return
        for name, member in plain.items():
            misfit = misfit_of(member, declared.get(name, Any))
            if misfit is not None and not _is_default(layout.defaults.get(name), member):
                raise Refusal(f"its field {name!r} {misfit}")

    def _decode_registered(self, code: Code, cls: type, simple: Any) -> object:
        was = self._marks.get(code.name)
        if was is not None:
            simple = upcast(simple, was, self._revision_after(cls, code.name, was), cls, code.name)
        return simple if type(simple) is cls else super()._decode_registered(code, cls, simple)

    def _revision_after(self, cls: type, name: str, was: Mark) -> Any:
        revision = self.registry.revision_of(cls)
        if was.version > revision.version:
            raise Refusal(
                f"was stored as version {was.version} of {name[:200]}, and this process has version "
                f"{revision.version}: a process with the newer code can read it"
            )
        return revision


def _fields_of(tag: str, state: Any) -> dict[str, Any]:
    """The fields in the state of an instance, as an upcaster gets them."""
    given = expect(state, dict)
    if tag != _MODEL:
        return dict(given)
    return {**expect(given["fields"], dict), **expect(given.get("extra", {}), dict)}


def _state_of(tag: str, tag_before: str, state: Any, fields: Any) -> Any:
    """The state that these fields make; of a model what was said of the fields beside them is kept."""
    if tag != _MODEL:
        return fields
    before = state if tag_before == _MODEL else {"fields": state}
    extra = before.get("extra")
    held = {name: member for name, member in fields.items() if extra is None or name not in extra}
    made: dict[str, Any] = {"fields": held}
    if extra is not None:
        made["extra"] = {name: fields[name] for name in extra if name in fields}
    if "set" in before:
        made["set"] = [name for name in fields if name in before["set"] or name not in before["fields"]]
    if "absent" in before:
        made["absent"] = [name for name in before["absent"] if name not in held]
    if "private" in before:
        made["private"] = before["private"]
    return made


def _is_default(default: Default, member: object) -> bool:
    """Whether this is what the field has where nothing is given."""
    if default is None:
        return False
    try:
        value = default()
        return type(value) is type(member) and bool(value == member)
    except Exception:  # a factory and `==` are the user's code
        return False
