"""Exceptions: taken apart into plain values, and rebuilt without calling any code of their class.

An exception comes back as its own type if that is a builtin, a known type, or a class that some module of this
process *already* holds under that name: it is looked up in the modules' dictionaries, nothing is imported and no
module's `__getattr__` is asked. It is made by the constructor of its nearest builtin ancestor; `__new__`, `__init__`,
`__setattr__` and properties of the class itself are not called.
"""

from __future__ import annotations

import sys
import traceback
from types import ModuleType, TracebackType
from typing import Any, Final

from ...errors import RecordedError, RunInterrupted
from ..names import module_name
from .refusal import Refusal
from .registry import TypeRegistry, type_name
from .tags import expect

TRACEBACK: Final = "__traceback_text__"
"""The attribute of a rebuilt exception that holds the text of the traceback that it had when it was recorded."""

RECORDED_TRACEBACK: Final = "Recorded traceback (most recent call last):\n"
"""How a note begins that shows the recorded traceback; such notes are made anew each time, not recorded."""

_TRACEBACK_LIMIT = 16_000
_NEVER_RAISED = (SystemExit, KeyboardInterrupt, GeneratorExit, RunInterrupted)
"""What would end the process, or pass for an order of the engine, does not come out of a database."""

_SLOTS: dict[type[BaseException], tuple[str, ...]] = {
    OSError: ("errno", "strerror", "filename", "filename2"),
    ImportError: ("msg", "name", "path"),
    AttributeError: ("name",),
    NameError: ("name",),
    StopIteration: ("value",),
    SyntaxError: ("msg", "filename", "lineno", "offset", "text", "end_lineno", "end_offset"),
}
"""What builtin exceptions keep outside their `__dict__`."""

_UNICODE_ERRORS = (UnicodeEncodeError, UnicodeDecodeError, UnicodeTranslateError)
_HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: the class was made at run time, so its `__new__` may be anybody's


def own_dict(error: BaseException) -> dict[str, Any]:
    """The instance's dictionary itself, past whatever its class does about attributes."""
    attributes: dict[str, Any] = object.__getattribute__(error, "__dict__")
    return attributes


def attributes_of(error: BaseException) -> dict[str, object]:
    """The instance's own attributes, without notes and recorded traceback."""
    return {name: value for name, value in own_dict(error).items() if name not in ("__notes__", TRACEBACK)}


def slots_of(error: BaseException) -> dict[str, object]:
    """What the builtin ancestor of the exception keeps in C, where it is set."""
    found: dict[str, object] = {}
    for ancestor, names in _SLOTS.items():
        if isinstance(error, ancestor):
            for name in names:
                value = getattr(ancestor, name).__get__(error)
                if value is not None:
                    found[name] = value
    return found


def notes_of(error: BaseException) -> list[str]:
    """The notes that are text."""
    notes = own_dict(error).get("__notes__")
    if not isinstance(notes, list):
        return []
    return [note for note in notes if type(note) is str and not note.startswith(RECORDED_TRACEBACK)]


def message_of(error: BaseException) -> str:
    """`str(error)`, whatever its class does."""
    try:
        return str(str(error))
    except BaseException as broken:  # the user's `__str__` may raise anything, and it is no order to us
        return f"<no message: its __str__ raised {type(broken).__name__}>"


def tamed(error: BaseException) -> BaseException:
    """The error; a stand-in where its class lets nobody look at it: whatever else is done with that would fail anew."""
    cls = type(error)
    try:
        hash(cls)
        name = type_name(cls)
        isinstance(error, _Nobody)  # asks the error for its class
        own_dict(error)
        _ = error.args, error.__cause__, error.__context__, error.__traceback__
        if isinstance(error, BaseExceptionGroup):
            _ = error.exceptions, error.message
    except BaseException as broken:
        try:
            name = f"{type.__dict__['__module__'].__get__(cls)}:{type.__dict__['__qualname__'].__get__(cls)}"
        except Exception:
            name = "builtins:BaseException"
        stand_in = RecordedError(name, f"{message_of(error)} <its class cannot be looked at: {type(broken).__name__}>")
        return stand_in.with_traceback(BaseException.__dict__["__traceback__"].__get__(error))
    return error


class _Nobody:
    """No error is of this class."""


def traceback_of(error: BaseException) -> str:
    """The traceback as text: first what an earlier recording brought, then the present one; the end, if it is long."""
    earlier = own_dict(error).get(TRACEBACK, "")
    present = _format(error.__traceback__) if error.__traceback__ is not None else ""
    text = (earlier if isinstance(earlier, str) else "") + present
    return text if len(text) <= _TRACEBACK_LIMIT else "…" + text[-_TRACEBACK_LIMIT:]


def _format(present: TracebackType) -> str:
    try:
        return "".join(traceback.format_tb(present))
    except Exception:  # source files may be unreadable in any way
        return "  <the traceback could not be formatted>\n"


def state_of_error(error: BaseException) -> dict[str, object]:
    """Take an exception apart, completely: whatever of it cannot be stored makes the encoder refuse it."""
    state: dict[str, object] = {"type": type_name(type(error)), "message": message_of(error)}
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else None
    args = [error.message] if isinstance(error, BaseExceptionGroup) else list(error.args)
    parts: dict[str, object] = {
        "args": args,
        "members": list(members) if members is not None else None,
        "slots": slots_of(error),
        "attributes": attributes_of(error),
        "notes": notes_of(error),
        "cause": error.__cause__,
        "context": error.__context__ if error.__context__ is not error.__cause__ else None,
        "suppressed": error.__suppress_context__ and error.__cause__ is None,
        "traceback": traceback_of(error),
    }
    # An error may call itself false.
    return state | {name: part for name, part in parts.items() if isinstance(part, BaseException) or part}


def find_error_type(name: str, registry: TypeRegistry) -> type[BaseException] | None:
    """Return the exception class of this name that this process already has, or None."""
    found: object = registry.resolve(name) or _loaded(name)
    if not isinstance(found, type) or not issubclass(found, BaseException):
        return None
    return None if issubclass(found, _NEVER_RAISED) else found


def _loaded(name: str) -> object:
    """Look a class up in the dictionaries of loaded modules, running nothing: no import, no `__getattr__`."""
    module_part, _, qualname = name.partition(":")
    module = sys.modules.get(module_part)
    if module is None and module_part == module_name("__main__"):
        module = sys.modules.get("__main__")  # the script itself, known by the name under which others import it
    if not isinstance(module, ModuleType):
        return None
    found: object = module
    for part in qualname.split("."):
        if not (found is module or isinstance(found, type)):
            return None
        getter = object.__getattribute__ if found is module else type.__getattribute__
        found = getter(found, "__dict__").get(part)
    return found


def error_from_state(state: dict[str, Any], registry: TypeRegistry) -> BaseException:
    """Rebuild an exception; raises `Refusal` if its class is not known or does not take what is recorded."""
    name = expect(state.get("type"), str)
    cls = find_error_type(name, registry)
    if cls is None:
        raise Refusal(f"is an error of type {name[:200]}, which is not known to this process; import its module")
    error = _bare(cls, expect(state.get("args", []), list), state.get("members"))
    for slot, value in expect(state.get("slots", {}), dict).items():
        _set_slot(error, slot, value)
    own = own_dict(error)
    own.update({expect(key, str): value for key, value in expect(state.get("attributes", {}), dict).items()})
    if notes := expect(state.get("notes", []), list):
        own["__notes__"] = [expect(note, str) for note in notes]
    if text := expect(state.get("traceback", ""), str):
        own[TRACEBACK] = text
    _set_chain(error, state)
    return error


def _bare(cls: type[BaseException], args: list[object], members: object) -> BaseException:
    """Make an instance by the constructor of the nearest builtin ancestor, passing by those of the class."""
    if issubclass(cls, BaseExceptionGroup):
        (message,) = args
        return BaseExceptionGroup.__new__(cls, expect(message, str), expect(members, list))
    builtin: Any = next(ancestor for ancestor in cls.__mro__ if not ancestor.__flags__ & _HEAP_TYPE)
    if builtin in _UNICODE_ERRORS:
        _check_unicode(builtin, args)
        made: BaseException = builtin.__new__(cls)
        builtin.__init__(made, *args)
        return made
    made = builtin.__new__(cls)
    BaseException.args.__set__(made, tuple(args))  # type: ignore[attr-defined]  # a C attribute
    return made


def _check_unicode(builtin: type, args: list[object]) -> None:
    """Python's own formatting of these reads memory by `start` and `end` and trusts them."""
    places = 4 if builtin is UnicodeTranslateError else 5
    text, start, end = args[places - 4 : places - 1] if len(args) == places else (None, None, None)
    if not (isinstance(text, (str, bytes)) and type(start) is int and type(end) is int):
        raise Refusal("is a Unicode error without its text and place")
    if not 0 <= start <= end <= len(text):
        raise Refusal("is a Unicode error whose place lies outside its text")


def _set_slot(error: BaseException, slot: str, value: object) -> None:
    for ancestor, names in _SLOTS.items():
        if isinstance(error, ancestor) and slot in names:
            getattr(ancestor, slot).__set__(error, value)
            return
    raise Refusal(f"has an attribute {slot[:80]!r} that {type(error).__name__} does not have")


def _set_chain(error: BaseException, state: dict[str, Any]) -> None:
    cause, context = state.get("cause"), state.get("context")
    for name, linked in (("__cause__", cause), ("__context__", context if context is not None else cause)):
        if linked is not None:
            if not isinstance(linked, BaseException):
                raise Refusal(f"has a {name} that is no error")
            getattr(BaseException, name).__set__(error, linked)
    is_suppressed = cause is not None or bool(state.get("suppressed"))
    BaseException.__suppress_context__.__set__(error, is_suppressed)  # type: ignore[attr-defined]  # a C attribute
