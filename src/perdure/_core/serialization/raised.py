"""Exceptions: taken apart into plain values, and rebuilt without calling any code of their class.

An exception comes back as its own type if that is a builtin, a known type, or a class that some module of this
process *already* holds under that name: it is looked up in the modules' dictionaries, nothing is imported and no
module's `__getattr__` is asked. One of a class that cannot be found, as it was made at run time, comes back as its
nearest ancestor that can. It is made by the constructor of its nearest builtin ancestor; `__new__`, `__init__`,
`__setattr__` and properties of the class itself are not called.
"""

from __future__ import annotations

import functools
import traceback
from types import MemberDescriptorType, TracebackType
from typing import Any, Final

from ...errors import RecordedError, RunInterrupted
from .loaded import find_loaded
from .refusal import Refusal
from .registry import TypeRegistry, type_name
from .tags import expect
from .validation import make_validation_error, validation_of

TRACEBACK: Final = "__traceback_text__"
"""The attribute of a rebuilt exception that holds the text of the traceback that it had when it was recorded."""

MESSAGE: Final = "__recorded_message__"
"""The attribute of a rebuilt exception that holds its message, where it cannot say it by itself."""

RECORDED_TRACEBACK: Final = "Recorded traceback (most recent call last):\n"
"""How a note begins that shows the recorded traceback; such notes are made anew each time, not recorded."""

_NO_ATTRIBUTES = ("__notes__", TRACEBACK, MESSAGE)
_TRACEBACK_LIMIT = 16_000
_CUT = "…"
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
    """The instance's own attributes, in its dictionary and in slots of its classes; without notes and traceback."""
    found = {name: value for name, value in own_dict(error).items() if name not in _NO_ATTRIBUTES}
    for name, place in _own_slots(type(error)).items():
        try:
            found[name] = place.__get__(error)
        except AttributeError:  # not set
            continue
    return found


def _own_slots(cls: type) -> dict[str, MemberDescriptorType]:
    """The slots of the classes that were made at run time."""
    return {
        name: place
        for owner in cls.__mro__
        if owner.__flags__ & _HEAP_TYPE
        for name, place in owner.__dict__.items()
        if isinstance(place, MemberDescriptorType)
    }


class Said:
    """Of an error that could not make its message from what was kept of it: it says the one that was recorded."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        """Nothing: reading an error calls no code of its class."""

    def __str__(self) -> str:
        """The message."""
        return str(own_dict(self)[MESSAGE])  # type: ignore[arg-type]  # beside an error's class

    def __reduce__(self) -> Any:
        """To copies and pickles it is known by its class as its module has it."""
        error: Any = self
        members = list(error.exceptions) if isinstance(error, BaseExceptionGroup) else None
        args = list(error.args) if members is None else [error.message]
        return _said_again, (class_of(error), args, members, slots_of(error), own_dict(error))


def class_of(error: BaseException) -> type[BaseException]:
    """The class as its module has it."""
    cls = type(error)
    return cls.__bases__[1] if issubclass(cls, Said) else cls


@functools.lru_cache(maxsize=1024)
def _saying(cls: Any) -> type[BaseException]:
    """The class with `Said` before it, under the same name."""
    names = {"__slots__": (), "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    made: type[BaseException] = type.__new__(type(cls), cls.__name__, (Said, cls), names)
    return made


def _said_again(
    cls: Any, args: list[object], members: object, slots: dict[str, object], own: dict[str, Any]
) -> BaseException:
    """A copy of an error that says its recorded message."""
    made = _bare(cls, args, members)
    for slot, value in slots.items():
        _set_slot(made, slot, value)
    own_dict(made).update(own)
    made.__class__ = _saying(cls)
    return made


def can_say(error: BaseException) -> bool:
    """Whether the error has a message."""
    try:
        str(error)
    except BaseException:  # as in `message_of`
        return False
    return True


def ancestors_of(error: BaseException) -> list[str]:
    """What the error is as well, from the nearest on; without what every error is."""
    return [type_name(cls) for cls in class_of(error).__mro__[1:] if cls not in (Exception, BaseException, object)]


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
    """The traceback as text, where it was raised last: the present frames, and inside of them what an earlier recording
    brought. An error that has not left its process still has those frames. Of a long one there remains the end.
    """
    earlier = own_dict(error).get(TRACEBACK, "")
    present = _format(error.__traceback__) if error.__traceback__ is not None else ""
    is_there = not isinstance(earlier, str) or present.endswith(earlier.removeprefix(_CUT))
    text = present if is_there else present + earlier
    return text if len(text) <= _TRACEBACK_LIMIT else _CUT + text[-_TRACEBACK_LIMIT:]


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
        "ancestors": ancestors_of(error),
        "validation": validation_of(error),
        "notes": notes_of(error),
        "cause": error.__cause__,
        "context": error.__context__ if error.__context__ is not error.__cause__ else None,
        "suppressed": error.__suppress_context__ and error.__cause__ is None,
        "traceback": traceback_of(error),
        "said": isinstance(error, Said),
    }
    # An error may call itself false.
    return state | {name: part for name, part in parts.items() if isinstance(part, BaseException) or part}


def find_error_type(name: str, registry: TypeRegistry) -> type[BaseException] | None:
    """Return the exception class of this name that this process already has, or None."""
    found: object = find_loaded(name) or registry.resolve(name)
    if not isinstance(found, type) or not issubclass(found, BaseException):
        return None
    return None if issubclass(found, _NEVER_RAISED) else found


def find_ancestor(names: list[object], registry: TypeRegistry) -> str | None:
    """The first of these names that this process has an error class for, if none of them would end the program."""
    found = [find_loaded(name) for name in names if type(name) is str]
    if any(isinstance(cls, type) and issubclass(cls, _NEVER_RAISED) for cls in found):
        return None
    return next((name for name in names if type(name) is str and find_error_type(name, registry) is not None), None)


def error_from_state(state: dict[str, Any], registry: TypeRegistry) -> BaseException:
    """Rebuild an exception; raises `Refusal` if its class is not known or does not take what is recorded."""
    name = expect(state.get("type"), str)
    cls = find_error_type(name, registry)
    if cls is None:
        raise Refusal(f"is an error of type {name[:200]}, which is not known to this process; import its module")
    if "validation" in state:
        error = make_validation_error(cls, state["validation"])
    else:
        error = _bare(cls, expect(state.get("args", []), list), state.get("members"))
    for slot, value in expect(state.get("slots", {}), dict).items():
        _set_slot(error, slot, value)
    own, own_slots = own_dict(error), _own_slots(cls)
    for key, value in expect(state.get("attributes", {}), dict).items():
        if expect(key, str) in own_slots:
            own_slots[key].__set__(error, value)
        else:
            own[key] = value
    if notes := expect(state.get("notes", []), list):
        own["__notes__"] = [expect(note, str) for note in notes]
    if text := expect(state.get("traceback", ""), str):
        own[TRACEBACK] = text
    if state.get("said") is True:
        own[MESSAGE] = expect(state.get("message"), str)
        kind: Any = cls
        error.__class__ = _saying(kind)
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
