"""Errors as outcomes: recording one never fails, and one always comes back, as its own type where that is possible.

Where a value is refused for what cannot be stored of it, an error loses that part: an attribute is dropped, arguments
of which one cannot be stored are replaced by the message. An error whose type this process does not know comes back
as `RecordedError`.
"""

from __future__ import annotations

from typing import Any, Final

from ...errors import RecordedError
from .decoding import Decoder
from .encoding import Encoder, Tree, text_tree
from .raised import (
    RECORDED_TRACEBACK,
    TRACEBACK,
    error_from_state,
    message_of,
    own_dict,
    state_of_error,
    tamed,
    traceback_of,
)
from .refusal import Refusal
from .registry import TypeRegistry, type_name
from .tags import expect

_MOST_ERRORS: Final = 2_000
"""How many errors one record may hold: causes, contexts and members of groups together."""
_DEEPEST_CHAIN: Final = 20
_LONGEST_MESSAGE: Final = 10_000
_LOST: Final = object()


class ErrorWriter:
    """Writes one error and what hangs on it, with the types of one registry."""

    def __init__(self, registry: TypeRegistry, *, budget: int, has_tracebacks: bool = True) -> None:
        self._registry = registry
        self._budget = budget
        self._has_tracebacks = has_tracebacks
        self._errors_left = _MOST_ERRORS

    def write(self, error: BaseException, depth: int = 0) -> Tree:
        """Return the error's tree, without what cannot be stored of it."""
        self._errors_left -= 1
        state = state_of_error(tamed(error))
        trees = {name: self._part(name, part, depth) for name, part in state.items()}
        made = _kept(trees)
        if "args" in state and "args" not in made:
            made["args"] = [made["message"]]
        return {"$error": made}

    def _part(self, name: str, part: Any, depth: int) -> Any:
        if name in ("cause", "context"):
            return self.write(part, depth + 1) if depth < _DEEPEST_CHAIN and self._errors_left > 0 else _LOST
        if name == "members":
            return [self.write(member, depth + 1) for member in part[: max(1, self._errors_left)]]
        if name in ("slots", "attributes"):
            return _kept({key: self._attempt(value) for key, value in part.items() if key.isidentifier()})
        if name == "traceback" and not self._has_tracebacks:
            return _LOST
        return self._attempt(part)

    def _attempt(self, part: object) -> Any:
        """Return the part's tree, or `_LOST` if it cannot be stored."""
        try:
            return Encoder(self._registry, budget=self._budget, is_escaping=True).encode(part)
        except BaseException:  # a part of an error may be anything, and raise that; it is lost, the error is not
            return _LOST


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
            error = _unknown(state)
        _show_traceback(error)
        return error

    def _part(self, name: str, part: Any) -> object:
        if name in ("cause", "context"):
            return self.read(part)
        if name == "members":
            return [self.read(member) for member in expect(part, list)]
        if name in ("slots", "attributes"):
            return _kept({key: self._attempt(value) for key, value in expect(part, dict).items()})
        return self._attempt(part)

    def _attempt(self, part: object) -> object:
        try:
            return self._decoder.decode(part)
        except Exception:  # what this process cannot make of a part is left out
            return _LOST


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
