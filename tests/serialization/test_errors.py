"""Errors as outcomes: recording never fails, and what comes back is caught by the same `except`."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import subprocess
import sys
import traceback
import types
from pathlib import Path
from typing import Any

import pytest

from perdure import errors
from perdure._core.serialization import Serializer, TypeRegistry
from perdure._entries import Stored
from tests.serialization.samples import Point, ShopError, make_serializer

serializer = make_serializer()


def raised(error: BaseException) -> BaseException:
    """The error after it was raised, with a traceback."""
    try:
        _raise(error)
    except BaseException as caught:
        return caught
    return error


def _raise(error: BaseException) -> None:
    raise error


def back(error: BaseException) -> Any:
    """The error as the workflow sees it, live and on replay."""
    return serializer.load_error(serializer.dump_error(error))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x", 1, (2,)),
        KeyError("k"),
        FileNotFoundError(2, "No such file", "x.txt"),
        ConnectionResetError(104, "reset"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
        UnicodeEncodeError("ascii", "é", 0, 1, "ordinal not in range"),
        ImportError("no", name="mod", path="p"),
        SyntaxError("bad", ("f.py", 1, 2, "x =", 1, 3)),
        ShopError("Acme", 3),
        asyncio.CancelledError("gone"),
        TimeoutError(),
        AssertionError(),
        errors.RunNotFoundError("no run", run_id="r1"),
        json.JSONDecodeError("Expecting value", "{", 1),
        subprocess.CalledProcessError(3, ["ls", "-l"]),
        ExceptionGroup("several", [ValueError(1), ShopError("Acme", 4), ExceptionGroup("inner", [OSError(1, "x")])]),
        BaseExceptionGroup("any", [asyncio.CancelledError()]),
        ValueError("\0\ud800"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_as_its_own_type(error: BaseException) -> None:
    """With arguments, message and attributes, whatever its `__init__` takes."""
    rebuilt = back(raised(error))
    assert type(rebuilt) is type(error)
    assert str(rebuilt) == str(error)
    if not isinstance(error, BaseExceptionGroup):
        assert rebuilt.args == error.args
    own = {name: value for name, value in vars(rebuilt).items() if not name.startswith("__")}
    assert own == vars(error)
    for name in ("errno", "filename", "name", "lineno", "code", "run_id"):
        assert getattr(rebuilt, name, None) == getattr(error, name, None)


def test_the_members_of_a_group_come_back() -> None:
    """So that `except*` finds them."""
    group = back(ExceptionGroup("several", [ValueError(1), ExceptionGroup("inner", [ShopError("Acme", 4)])]))
    assert [type(member) for member in group.exceptions] == [ValueError, ExceptionGroup]
    assert group.split(ShopError)[0].exceptions[0].exceptions[0].code == 4


def test_cause_context_and_notes_come_back() -> None:
    """As far as they go; `raise … from None` stays silent."""
    try:
        try:
            _raise(KeyError("inner"))
        except KeyError as inner:
            raise ShopError("Acme", 1) from inner
    except ShopError as outer:
        outer.add_note("asked twice")
        rebuilt = back(outer)
    assert type(rebuilt.__cause__) is KeyError
    assert rebuilt.__notes__[0] == "asked twice"
    try:
        try:
            _raise(KeyError("inner"))
        except KeyError:
            raise ValueError("outer") from None
    except ValueError as silent:
        rebuilt = back(silent)
    assert rebuilt.__suppress_context__
    assert type(rebuilt.__context__) is KeyError


def test_the_traceback_comes_back_as_text() -> None:
    """As an attribute, and as a note that whoever prints the error sees; recording it again does not double it."""
    once = back(raised(ValueError("x")))
    assert "in _raise" in once.__traceback_text__
    printed = "".join(traceback.format_exception(once))
    assert printed.count("in _raise") == 1
    assert "Recorded traceback (most recent call last):" in printed
    twice = back(once)
    assert twice.__traceback_text__ == once.__traceback_text__
    assert "".join(traceback.format_exception(twice)) == printed


@pytest.mark.parametrize("depth", [0, 400])
def test_what_an_error_has_crossed_since_stands_around_what_is_recorded_of_it(depth: int) -> None:
    """The last line is where it was raised. One that has not left its process has the recorded frames still."""

    def _again(error: BaseException, deeper: int = 0) -> None:
        if deeper:
            _again(error, deeper - 1)
        raise error

    recorded = back(raised(ValueError("x")))
    with pytest.raises(ValueError, match="x"):
        _again(recorded)
    text = back(recorded).__traceback_text__
    assert text.index("in _again") < text.index("in _raise")
    assert text.count("in _raise") == 1
    live = ValueError("y")
    with pytest.raises(ValueError, match="y"):
        _again(live, depth)  # deeper than what is kept of it
    live.__dict__["__traceback_text__"] = once = back(live).__traceback_text__
    assert back(live).__traceback_text__ == once


def test_live_and_replay_see_the_same_error() -> None:
    """Recording what was rebuilt changes nothing more."""
    stored = serializer.dump_error(raised(ShopError("Acme", 3)))
    assert serializer.dump_error(serializer.load_error(stored)) == stored


def test_what_cannot_be_stored_of_an_error_is_left_out() -> None:
    """The attribute goes; of arguments the message stays."""
    error = ShopError("Acme", 3)
    error.connection = object()  # type: ignore[attr-defined]
    error.place = Point(1)  # type: ignore[attr-defined]
    error.nothing = None  # type: ignore[attr-defined]
    rebuilt = back(error)
    assert (type(rebuilt), rebuilt.code, rebuilt.place, rebuilt.nothing) == (ShopError, 3, Point(1), None)
    assert not hasattr(rebuilt, "connection")
    rebuilt = back(ValueError("reason", threading_lock := object()))
    assert type(rebuilt) is ValueError
    assert rebuilt.args == (str(ValueError("reason", threading_lock)),)


def test_the_message_is_kept_where_the_rebuilt_error_says_something_else() -> None:
    """An error may make its text from what could not be stored."""

    class OddError(Exception):
        def __str__(self) -> str:
            return f"odd: {getattr(self, 'handle', 'lost')}"

    sys.modules["odd_module"] = types.ModuleType("odd_module")
    try:
        vars(sys.modules["odd_module"])["OddError"] = OddError
        OddError.__module__, OddError.__qualname__ = "odd_module", "OddError"
        error = OddError()
        error.handle = object()  # type: ignore[attr-defined]
        message = str(error)
        rebuilt = back(error)
        assert type(rebuilt) is OddError
        assert f"Recorded message: {message}" in rebuilt.__notes__
    finally:
        del sys.modules["odd_module"]


def test_an_error_of_an_unknown_class_comes_back_as_recorded_error() -> None:
    """With the type's name, the message, the traceback and the cause; also inside a chain and a group."""

    class LocalError(Exception):
        pass

    error = LocalError("it broke")
    error.__cause__ = LocalError("below")
    rebuilt = back(raised(error))
    assert type(rebuilt) is errors.RecordedError
    assert rebuilt.type_name.endswith("<locals>.LocalError")
    assert rebuilt.message == "it broke"
    assert "in _raise" in rebuilt.traceback_text
    assert str(rebuilt).endswith("LocalError: it broke")
    assert type(rebuilt.__cause__) is errors.RecordedError
    copied = pickle.loads(pickle.dumps(rebuilt))  # noqa: S301 - made here
    assert (str(copied), copied.traceback_text) == (str(rebuilt), rebuilt.traceback_text)
    again = back(rebuilt)
    assert (again.type_name, again.message) == (rebuilt.type_name, rebuilt.message)
    group = back(ExceptionGroup("g", [error, ValueError(1)]))
    assert [type(member) for member in group.exceptions] == [errors.RecordedError, ValueError]


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), errors.RunInterrupted()])
def test_what_would_end_the_process_does_not_come_out_of_the_database(error: BaseException) -> None:
    """It comes back as an ordinary error that names it."""
    assert type(back(error)) is errors.RecordedError


def test_a_class_is_found_only_where_it_is_loaded_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No import, and no module's `__getattr__`, for a name that comes from data."""
    (tmp_path / "never_loaded.py").write_text("class LateError(Exception): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    asked: list[str] = []

    class Lazy(types.ModuleType):
        def __getattr__(self, name: str) -> Any:
            asked.append(name)
            raise AttributeError(name)

    sys.modules["lazy_module"] = Lazy("lazy_module")
    try:
        for name in ("lazy_module:Missing", "antigravity:X", "never_loaded:LateError"):
            text = json.dumps({"$error": {"type": name, "message": "m"}})
            assert type(serializer.load_error(Stored("json", text))) is errors.RecordedError
    finally:
        del sys.modules["lazy_module"]
    assert asked == []
    assert "antigravity" not in sys.modules
    assert "never_loaded" not in sys.modules


def test_recording_an_error_never_fails() -> None:
    """Whatever the error does, and however large it is."""

    class HostileError(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

        def __repr__(self) -> str:
            raise ZeroDivisionError

        @property
        def args(self) -> Any:
            raise ZeroDivisionError

        def __getattribute__(self, name: str) -> Any:
            raise ZeroDivisionError

    ring = ValueError("ring")
    ring.args = (ring,)
    chain: BaseException = ValueError("end")
    for number in range(5000):
        outer = ValueError(number)
        outer.__cause__ = chain
        chain = outer
    wide = ExceptionGroup("wide", [ValueError("x" * 1000) for _ in range(5000)])
    small = Serializer(TypeRegistry(), max_bytes=20_000)
    for error in (HostileError(), ring, chain, wide, ValueError("x" * 1_000_000), ValueError("\0\ud800" * 9)):
        for each in (serializer, small):
            stored = each.dump_error(raised(error))
            assert isinstance(each.load_error(stored), Exception)
    assert len(small.dump_error(wide).text) <= 20_000


def test_an_error_is_a_value_too() -> None:
    """`gather(return_exceptions=True)` and dataclass fields hold errors; there nothing may be lost."""
    error = ShopError("Acme", 3)
    error.__cause__ = OSError(2, "no", "file")
    _, live = serializer.accept([error, Point(KeyError("a"))], what="it")
    assert (type(live[0]), live[0].code, live[0].__cause__.filename) == (ShopError, 3, "file")
    assert type(live[1].x) is KeyError


def test_damaged_errors_are_refused() -> None:
    """What was never written as an error is a `SerializationError`, for the engine to park the run."""
    for text in ("1", "[]", "{}", '{"$error":5}', '{"$error":{}}', '{"$error":{"type":1}}', "{", "", '{"$set":[]}'):
        with pytest.raises(errors.SerializationError):
            serializer.load_error(Stored("json", text))


SCRIPT = """
from dataclasses import dataclass
from perdure._core.serialization import Serializer, TypeRegistry

class ShutError(Exception):
    pass

@dataclass
class Shop:
    name: str

registry = TypeRegistry()
registry.register(Shop)
serializer = Serializer(registry)
stored = serializer.dump_error(ShutError("x"))
assert type(serializer.load_error(stored)) is ShutError, stored.text
stored, _ = serializer.accept([Shop("a"), ShutError("y")], what="it")
print(stored.text)
"""


def test_classes_of_the_main_script_come_back_under_its_import_name(tmp_path: Path) -> None:
    """What a script has stored can be read by a worker that imports the same file, and by the script itself."""
    (tmp_path / "shop.py").write_text(SCRIPT)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    printed = {
        subprocess.run(
            [sys.executable, *command], env=environment, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout
        for command in (["shop.py"], ["-m", "shop"], ["-c", "import shop"])
    }
    assert len(printed) == 1
    assert '["shop:Shop",{"name":"a"}]' in printed.pop()
