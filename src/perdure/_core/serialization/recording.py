"""Errors as outcomes: recording one never fails, and one always comes back, as its own type where that is possible.

Where a value is refused for what cannot be stored of it, an error loses that part, and a note says so: of an attribute
what is plain in it is kept (`RecordedObject`) or nothing, a list, a tuple or a dict keeps its shape, arguments of which
one cannot be stored are replaced by the message. Where the error could then not say its message any more, it says the
recorded one. An error whose type this process does not know comes back as its nearest ancestor that is known, or as
`RecordedError`.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import Any, Final

from ...errors import RecordedError, RecordedObject
from .decoding import Decoder
from .encoding import Encoder, Tree, text_tree
from .raised import (
    RECORDED_TRACEBACK,
    TRACEBACK,
    can_say,
    error_from_state,
    find_ancestor,
    message_of,
    own_dict,
    state_of_error,
    tamed,
    traceback_of,
)
from .refusal import Refusal
from .registry import TypeRegistry, type_name
from .tags import TUPLE, expect

_MOST_ERRORS: Final = 2_000
"""How many errors one record may hold: causes, contexts and members of groups together."""
_DEEPEST_CHAIN: Final = 20
_LONGEST_MESSAGE: Final = 10_000
_LOST: Final = object()
_ITSELF: Final = object()
_ITSELF_TREE: Final[Tree] = {"$itself": None}
"""Stands for the error in what hangs on it: Django's `ValidationError` is in its own list of errors."""


class ErrorWriter:
    """Writes one error and what hangs on it, with the types of one registry."""

    def __init__(self, registry: TypeRegistry, *, budget: int, has_tracebacks: bool = True) -> None:
        self._registry = registry
        self._budget = budget
        self._has_tracebacks = has_tracebacks
        self._errors_left = _MOST_ERRORS
        self._writing: list[BaseException] = []
        """The errors that are being written, each hanging on the one before it."""

    def write(self, error: BaseException, depth: int = 0) -> Tree:
        """Return the error's tree, without what cannot be stored of it."""
        self._errors_left -= 1
        state = state_of_error(tamed(error))
        lost: list[str] = []
        self._writing.append(error)
        trees = {name: self._part(name, part, depth, lost) for name, part in state.items()}
        self._writing.pop()
        made = _kept(trees)
        if "args" in state and "args" not in made:
            made["args"] = [made["message"]]
            lost.append("args (its message in their place)")
        tree: Tree = {"$error": made}
        if lost:
            add_note(tree, f"Not recorded: {', '.join(lost)}")
            if can_say(error) and not can_say(ErrorReader(self._registry).read(tree)):
                made["said"] = True
        return tree

    def _part(self, name: str, part: Any, depth: int, lost: list[str]) -> Any:
        if name in ("cause", "context"):
            return self._chained(part, depth)
        if name == "members":
            return [self.write(member, depth + 1) for member in part[: max(1, self._errors_left)]]
        if name == "slots":
            return _kept({key: self._attempt(value) for key, value in part.items()})
        if name == "attributes":
            return _kept({key: self._attribute(key, value, depth, lost) for key, value in part.items()})
        if name == "validation" and self._attempt(part) is _LOST:
            lost.append("input (its type in its place)")
            return self._attempt(part | {"lines": [_without_input(line) for line in part["lines"]]})
        if name == "traceback" and not self._has_tracebacks:
            return _LOST
        return self._attempt(part)

    def _chained(self, error: BaseException, depth: int) -> Any:
        return self.write(error, depth + 1) if depth < _DEEPEST_CHAIN and self._errors_left > 0 else _LOST

    def _attribute(self, name: str, value: object, depth: int, lost: list[str]) -> Any:
        """An attribute's tree; of an object that cannot be stored, what is plain in it."""
        if not name.isidentifier():
            return _LOST
        tree = self._attached(value, depth)
        if tree is not _LOST:
            return tree
        if type(value) in (list, tuple, dict):
            return self._shape(name, value, depth, lost)
        if name in _HEADERS and (tree := self._headers(value)) is not _LOST:
            lost.append(f"{name} ({type_name(type(value))}; kept: its plain items)")
            return tree
        remains = remains_of(value)
        lost.append(f"{name} ({type_name(type(value))}{'; kept: ' + ', '.join(remains) if remains else ''})")
        return self._attempt(RecordedObject(type_name(type(value)), remains)) if remains else _LOST

    def _attached(self, value: object, depth: int) -> Any:
        """What hangs on the error, an error as errors are recorded, or `_LOST`."""
        if value is self._writing[-1]:
            return _ITSELF_TREE
        if isinstance(value, BaseException):
            return _LOST if any(value is error for error in self._writing) else self._chained(value, depth)
        tree = self._attempt(value)
        if tree is not _LOST or not _is_lazy_text(value):
            return tree
        with suppress(Exception):  # parameters that do not fit
            return self._attempt(_shown(value, own_dict(self._writing[-1])))
        return _LOST

    def _headers(self, value: Any) -> Any:
        with suppress(Exception):  # it may be anything
            return self._attempt(_plain_headers(value))
        return _LOST

    def _shape(self, name: str, value: Any, depth: int, lost: list[str]) -> Any:
        """A list, a tuple or a dict with what can be stored of its members, all of which keep their place."""
        tree = self._attached(value, depth)
        if tree is not _LOST:
            return tree
        if depth < _DEEPEST_CHAIN and type(value) in (list, tuple):
            members = [self._shape(name, member, depth + 1, lost) for member in value]
            return members if type(value) is list else {TUPLE.name: members}
        if depth < _DEEPEST_CHAIN and type(value) is dict and all(self._attempt(key) == key for key in value):
            return {key: self._shape(name, member, depth + 1, lost) for key, member in value.items()}
        lost.append(f"{type_name(type(value))} in {name}")
        return self._attempt(RecordedObject(type_name(type(value)), remains_of(value)))

    def _attempt(self, part: object) -> Any:
        """Return the part's tree, or `_LOST` if it cannot be stored."""
        try:
            return Encoder(self._registry, budget=self._budget, is_escaping=True).encode(part)
        except BaseException:  # a part of an error may be anything, and raise that; it is lost, the error is not
            return _LOST


_WORTH_KEEPING: Final = ("status_code", "status", "reason_phrase", "reason", "method", "url")
_HEADERS: Final = ("headers", "hdrs")
"""What an error itself calls the headers of the response that it speaks of: aiohttp's, urllib's."""
_SECRET_HEADERS: Final = ("auth", "cookie", "key", "token", "secret", "session", "signature")


def remains_of(value: object) -> dict[str, object]:
    """What is worth keeping of an object that cannot be stored: what a response or a request says of itself.

    Of a request method and URL alone; nothing of a response that has not arrived, and no header that may be a secret;
    of other objects nothing.
    """
    kept: dict[str, object] = {}
    for name in _WORTH_KEEPING:
        with suppress(Exception):  # a property may raise anything
            part = getattr(value, name, None)
            if part is not None and not callable(part):
                kept[name] = part if type(part) in (str, int, bool) else str(part)[:_LONGEST_MESSAGE]
    if "status_code" not in kept and "status" not in kept:
        return {"method": kept["method"], "url": kept["url"]} if {"method", "url"} <= kept.keys() else {}
    with suppress(Exception):  # as above
        kept["headers"] = _plain_headers(getattr(value, "headers", {}))
        if isinstance(vars(value).get("_content"), bytes):  # of httpx and requests: the body has been read
            kept["text"] = str(getattr(value, "text", ""))[:_LONGEST_MESSAGE]
    return kept


def _plain_headers(headers: Any) -> dict[str, str]:
    """Names in small letters, as those of a `RecordedObject`; without those that may be a secret."""
    found = {str(name).lower(): str(part) for name, part in dict(headers).items()}
    return {name: part for name, part in found.items() if not any(secret in name for secret in _SECRET_HEADERS)}


def _is_lazy_text(value: object) -> bool:
    """Whether this is a text of Django's that is translated when it is shown, as the messages of its validators are."""
    promise = getattr(sys.modules.get("django.utils.functional"), "Promise", None)
    return promise is not None and isinstance(value, promise)


def _shown(lazy: Any, attributes: dict[str, Any]) -> str:
    """The text, with the error's parameters in it, which its plural depends on; ready to be given them once more."""
    params = attributes.get("params")
    return str(lazy % params).replace("%", "%%") if params else str(lazy)


def _without_input(line: dict[str, object]) -> dict[str, object]:
    """A line of a `ValidationError` whose input cannot be stored: its type stands for it, its text may be a secret."""
    return line | {"input": f"<{type_name(type(line.get('input')))}>", "ctx": None}


def _kept(parts: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in parts.items() if part is not _LOST}


def add_note(tree: Tree, note: str) -> None:
    """Add a note to an error's tree."""
    state: Any = tree["$error"] if isinstance(tree, dict) else {}
    state["notes"] = [*state.get("notes", []), text_tree(note)]


def least_tree(error: BaseException) -> Tree:
    """What is kept of an error of which nothing else can be: its type's name, its message and its traceback."""
    message = text_tree(message_of(error)[:_LONGEST_MESSAGE])
    state: dict[str, Tree] = {"type": text_tree(type_name(type(error))), "message": message, "args": [message]}
    try:
        state["traceback"] = text_tree(traceback_of(error))
    except Exception:  # whatever is wrong with it, type and message remain
        state["traceback"] = ""
    return {"$error": state}


class ErrorReader:
    """Makes errors from trees; what cannot be made of one is left out."""

    def __init__(self, registry: TypeRegistry) -> None:
        self._registry = registry
        self._decoder = Decoder(registry)

    def read(self, tree: object) -> BaseException:
        """Return the error; raises `Refusal` only for what was never written by `ErrorWriter`."""
        if type(tree) is not dict or list(tree) != ["$error"]:
            raise Refusal("is no recorded error")
        parts: dict[str, Any] = expect(tree["$error"], dict)
        state = {name: made for name, part in parts.items() if (made := self._part(name, part)) is not _LOST}
        try:
            error = error_from_state(state, self._registry)
        except Exception:  # the class is not known, or refuses what was recorded, in whatever way
            error = self._stand_in(state)
        own = own_dict(error)
        attached: Any = state.get("attributes", {})
        own |= {name: _with_itself(value, error) for name, value in own.items() if name in attached}
        _show_traceback(error)
        return error

    def _stand_in(self, state: dict[str, Any]) -> BaseException:
        """The nearest ancestor that this process has; else a `RecordedError`."""
        names = state.get("ancestors")
        ancestor = find_ancestor(names, self._registry) if isinstance(names, list) else None
        if ancestor is None:
            return _unknown(state)
        note = f"Recorded as {state['type']}, which this process does not have; this is an ancestor of it"
        notes = state.get("notes", [])
        try:
            return error_from_state(state | {"type": ancestor, "notes": [*notes, note]}, self._registry)
        except Exception:  # as in `read`
            return _unknown(state)

    def _part(self, name: str, part: Any) -> object:
        if name in ("cause", "context"):
            return self.read(part)
        if name == "members":
            return [self.read(member) for member in expect(part, list)]
        if name == "attributes":
            return _kept({key: self._attribute(value) for key, value in expect(part, dict).items()})
        if name == "slots":
            return _kept({key: self._attempt(value) for key, value in expect(part, dict).items()})
        return self._attempt(part)

    def _attribute(self, part: Any) -> object:
        kind = type(part)
        if kind is dict and list(part) == ["$error"]:
            return self.read(part)
        if kind is dict and part == _ITSELF_TREE:
            return _ITSELF
        made = self._attempt(part)
        if made is not _LOST or kind not in (list, dict):
            return made
        if kind is list:
            return [self._attribute(member) for member in part]
        if list(part) == [TUPLE.name]:
            return tuple(self._attribute(member) for member in expect(part[TUPLE.name], list))
        return {key: self._attribute(member) for key, member in part.items()}

    def _attempt(self, part: object) -> object:
        try:
            return self._decoder.decode(part)
        except Exception:  # what this process cannot make of a part is left out
            return _LOST


def _with_itself(value: Any, error: BaseException) -> Any:
    """What hangs on an error, with the error where it stood for itself, and nothing that could not be made."""
    if value is _ITSELF:
        return error
    kind = type(value)
    if kind is list or kind is tuple:
        return kind(_with_itself(member, error) for member in value if member is not _LOST)
    if kind is dict:
        return {key: _with_itself(member, error) for key, member in value.items() if member is not _LOST}
    return value


def _unknown(state: dict[str, Any]) -> BaseException:
    """Stand in for an error whose class cannot be had here."""
    name, message, text = (state.get(part) for part in ("type", "message", "traceback"))
    if type(name) is not str:
        raise Refusal("is a recorded error without a type")
    error = RecordedError(
        name, message if type(message) is str else "", traceback_text=text if type(text) is str else ""
    )
    stand_in = {"type": type_name(RecordedError), "args": list(error.args), "attributes": dict(vars(error))}
    for part in ("notes", "cause", "context", "suppressed", "traceback"):
        if part in state:
            stand_in[part] = state[part]
    return error_from_state(stand_in, TypeRegistry())


def _show_traceback(error: BaseException) -> None:
    """Add the recorded traceback as a note, so that whoever prints the error sees where it first came from."""
    attributes = own_dict(error)
    text = attributes.get(TRACEBACK)
    if isinstance(text, str) and text:
        notes = attributes.get("__notes__")
        kept = list(notes) if isinstance(notes, list) else []
        attributes["__notes__"] = [*kept, RECORDED_TRACEBACK + text.rstrip("\n")]
