"""Errors of libraries: the same `except` catches them after a restart, and what was lost of them is said."""

from __future__ import annotations

import copy
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pydantic
import pydantic_core
import pytest
import requests

from perdure import errors
from perdure._core.serialization import Serializer, TypeRegistry

serializer = Serializer(TypeRegistry())


def back(error: BaseException) -> Any:
    """The error as the workflow sees it, live and on replay."""
    return serializer.load_error(serializer.dump_error(error))


class Order(pydantic.BaseModel):
    count: int
    parts: list[int] = []

    @pydantic.field_validator("count")
    @classmethod
    def check(cls, count: int) -> int:
        if count < 0:
            raise ValueError("is {negative}")
        if count > 100:
            raise pydantic_core.PydanticCustomError("too_many", "more than {most}", {"most": 100})
        assert count != 5, "is five"
        return count


@pytest.mark.parametrize(
    "given",
    [{}, {"count": "x", "parts": ["1", "z"]}, {"count": -1}, {"count": 500}, {"count": 5}, {"count": b"\xff"}],
    ids=repr,
)
def test_a_validation_error_comes_back(given: dict[str, Any]) -> None:
    """As pydantic's own class with its lines: missing fields, nested ones, a validator's own errors and types."""
    with pytest.raises(pydantic.ValidationError) as caught:
        Order(**given)
    rebuilt = back(caught.value)
    assert type(rebuilt) is pydantic.ValidationError
    assert str(rebuilt) == str(caught.value)
    assert rebuilt.error_count() == caught.value.error_count()
    for new, old in zip(rebuilt.errors(include_url=False), caught.value.errors(include_url=False), strict=True):
        assert new.pop("ctx", {}).keys() == old.pop("ctx", {}).keys()
        assert new == old
    assert type(serializer.accept([caught.value], what="it")[1][0]) is pydantic.ValidationError


def test_an_input_that_cannot_be_stored_is_named_and_not_shown() -> None:
    """The line keeps its type, place and message; a hidden input stays hidden."""
    with pytest.raises(pydantic.ValidationError) as caught:
        Order(count=object())  # type: ignore[arg-type]
    rebuilt = back(caught.value)
    assert type(rebuilt) is pydantic.ValidationError
    assert rebuilt.errors()[0]["loc"] == ("count",)
    assert rebuilt.errors()[0]["input"] == "<builtins:object>"
    assert "Not recorded: input (its type in its place)" in rebuilt.__notes__

    class Hidden(pydantic.BaseModel, hide_input_in_errors=True):
        word: int

    given: dict[str, Any] = {"word": "hunter2"}
    with pytest.raises(pydantic.ValidationError) as caught:
        Hidden(**given)
    stored = serializer.dump_error(caught.value)
    assert "hunter2" not in stored.text
    assert str(serializer.load_error(stored)) == str(caught.value)


class ServiceError(Exception):
    """As botocore's: it has subclasses that are made when a client is."""

    def __init__(self, answer: dict[str, Any], operation: str) -> None:
        super().__init__(f"{operation} failed")
        self.answer = answer
        self.operation = operation


def test_a_class_made_at_run_time_comes_back_as_its_nearest_ancestor() -> None:
    """So that `except ServiceError` works, with its attributes; a note says what it was."""
    made = type("NoSuchKey", (ServiceError, KeyError), {"__module__": "made.at.run.time"})
    rebuilt = back(made({"code": "NoSuchKey"}, "get"))
    assert type(rebuilt) is ServiceError
    assert rebuilt.answer == {"code": "NoSuchKey"}
    assert str(rebuilt) == "get failed"
    assert any("Recorded as made.at.run.time:NoSuchKey" in note for note in rebuilt.__notes__)
    again = back(rebuilt)
    assert (type(again), again.__notes__) == (ServiceError, rebuilt.__notes__)


@pytest.mark.parametrize("ancestor", [SystemExit, KeyboardInterrupt, errors.RunInterrupted])
def test_no_stand_in_ends_the_process(ancestor: type[BaseException]) -> None:
    """An unknown subclass of what ends the program is an ordinary error, as that is."""
    made = type("Leave", (ValueError, ancestor), {"__module__": "made.at.run.time"})
    assert type(back(made())) is errors.RecordedError


def test_a_response_keeps_its_status() -> None:
    """`error.response.status_code` and `.headers` work after a restart; nothing of the request's but method and URL."""
    request = httpx.Request("POST", "http://a/", headers={"authorization": "hunter2"}, json={"word": "hunter2"})
    answer = httpx.Response(503, request=request, headers={"retry-after": "3", "set-cookie": "hunter2"}, json={"a": 1})
    with pytest.raises(httpx.HTTPStatusError) as caught:
        answer.raise_for_status()
    stored = serializer.dump_error(caught.value)
    rebuilt: Any = serializer.load_error(stored)
    assert type(rebuilt) is httpx.HTTPStatusError
    assert (rebuilt.response.status_code, rebuilt.response.headers["retry-after"]) == (503, "3")
    assert (rebuilt.response.text, rebuilt.request.method, rebuilt.request.url) == ('{"a":1}', "POST", "http://a/")
    assert "hunter2" not in stored.text
    assert isinstance(rebuilt.response, errors.RecordedObject)
    again = serializer.accept(rebuilt.response, what="it")[1]
    assert again == rebuilt.response
    assert "503" not in repr(again)


def test_a_body_that_has_not_arrived_is_not_waited_for() -> None:
    """A streamed response keeps its status; recording an error reads nothing from the network."""
    answer = requests.Response()
    answer.status_code, answer.url = 500, "http://a/"
    answer.raw = pytest.fail  # would be called to read
    with pytest.raises(requests.HTTPError) as caught:
        answer.raise_for_status()
    rebuilt = back(caught.value)
    assert type(rebuilt) is requests.HTTPError
    assert rebuilt.response.status_code == 500
    assert "text" not in rebuilt.response.kept


class SlottedError(Exception):
    __slots__ = ("code",)


def test_slots_of_an_error_and_errors_in_its_attributes_are_kept() -> None:
    """What hangs on an error is recorded as an error is: what can be stored of it."""
    error = SlottedError("x")
    error.code = 3
    error.origin = httpx.ConnectError("down", request=httpx.Request("GET", "http://a/"))  # type: ignore[attr-defined]
    rebuilt = back(error)
    assert rebuilt.code == 3
    assert type(rebuilt.origin) is httpx.ConnectError
    assert str(rebuilt.origin) == "down"


@pytest.mark.parametrize("what", [ZeroDivisionError, KeyboardInterrupt, SystemExit, errors.RunInterrupted])
def test_an_error_whose_text_cannot_be_had_is_recorded(what: type[BaseException]) -> None:
    """Whatever `__str__` raises."""

    class SilentError(ValueError):
        def __str__(self) -> str:
            raise what

    rebuilt = back(SilentError("x"))
    assert isinstance(rebuilt, ValueError)
    assert rebuilt.args == ("x",)


def test_an_error_is_found_again_where_its_class_has_moved() -> None:
    """By the alias of a registered class."""
    registry = TypeRegistry()
    registry.register(ServiceError, aliases=["old.module:ShopError"])
    text = serializer.dump_error(ServiceError({}, "get")).text.replace(
        f"{__name__}:ServiceError", "old.module:ShopError"
    )
    assert "old.module:ShopError" in text
    loaded = Serializer(registry).load_error(type(serializer.dump_error(ValueError()))("json", text))
    assert type(loaded) is ServiceError


def test_types_imported_for_type_checkers_only_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the module's own source says; the module that holds them is imported no sooner than a value needs it."""
    (tmp_path / "models_here.py").write_text(
        "from dataclasses import dataclass\n@dataclass\nclass Doc:\n    a: int\n@dataclass\nclass Leaf:\n    b: int\n"
    )
    (tmp_path / "flows_here.py").write_text(
        "from __future__ import annotations\nimport typing\nif typing.TYPE_CHECKING:\n"
        "    from models_here import Doc\n    import models_here as m\n    from nowhere import Never\n"
        "def make(other: Never, leaf: m.Leaf) -> list[Doc] | None: ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    try:
        import flows_here  # type: ignore[import-not-found]  # made above

        registry = TypeRegistry()
        registry.learn(flows_here.make)
        loader = Serializer(registry)
        assert loader.accept([1, (2,)], what="it")[1] == [1, (2,)]
        assert "models_here" not in sys.modules
        stored = type(loader.accept(1, what="it")[0])("json", '[{"$dataclass":["models_here:Doc",{"a":1}]}]')
        assert loader.load(stored)[0].a == 1
        leaf = sys.modules["models_here"].Leaf(2)
        assert loader.accept(leaf, what="it")[1] == leaf
    finally:
        for name in ("flows_here", "models_here"):
            sys.modules.pop(name, None)


def test_an_annotation_that_cannot_be_resolved_is_said() -> None:
    """Where a class of that name is refused."""

    def make() -> "Elsewhere": ...  # type: ignore[name-defined,empty-body]  # noqa: F821, UP037

    registry = TypeRegistry()
    registry.learn(make)
    elsewhere = dataclass(type("Elsewhere", (), {}))
    with pytest.raises(errors.SerializationError, match="an annotation names it, but it cannot be resolved there"):
        Serializer(registry).accept(elsewhere(), what="it")


class HungError(Exception):
    """It lies in its own list, as Django's `ValidationError` does, and makes its text from what hangs on it."""

    def __init__(self, *errors: BaseException, **parts: object) -> None:
        super().__init__()
        self.errors = [*errors, self]
        self.parts = (parts,)

    def __str__(self) -> str:
        return f"{len(self.errors)} errors, {self.parts[0]}"


def test_errors_that_hang_in_containers_are_kept_and_the_error_itself() -> None:
    """A list, a tuple or a dict keeps its shape; what in it cannot be stored is named and stands there as such."""
    error = HungError(ServiceError({"code": 1}, "get"), HungError(), handle=object(), count=2)
    stored = serializer.dump_error(error)
    rebuilt: Any = serializer.load_error(stored)
    assert [type(each) for each in rebuilt.errors] == [ServiceError, HungError, HungError]
    assert rebuilt.errors[0].answer == {"code": 1}
    assert rebuilt.errors[1].errors == [rebuilt.errors[1]]
    assert rebuilt.errors[2] is rebuilt
    assert rebuilt.parts[0]["count"] == 2
    assert rebuilt.parts[0]["handle"] == errors.RecordedObject("builtins:object", {})
    assert "Not recorded: builtins:object in parts" in rebuilt.__notes__
    assert back(rebuilt).__notes__ == rebuilt.__notes__


def test_errors_that_hang_on_each_other_end_somewhere() -> None:
    """The way back to what an error hangs on is left out, and said."""
    error: Any = ServiceError({}, "get")
    error.below = ValueError("below")
    error.below.above = error
    rebuilt = back(error)
    assert str(rebuilt.below) == "below"
    assert not hasattr(rebuilt.below, "above")
    assert any("above" in note for note in rebuilt.below.__notes__)


class Handle:
    """Nothing of it can be stored."""

    host = "a.example"


class HandleError(OSError):
    """As aiohttp's: without its handle it has no text."""

    def __init__(self, handle: Handle) -> None:
        super().__init__(111, "refused")
        self.handle = handle

    def __str__(self) -> str:
        return f"cannot reach {self.handle.host}"


class HandleGroup(ExceptionGroup[Exception]):
    """A group of such a kind."""

    def __str__(self) -> str:
        return f"all of {self.handle.host}"  # type: ignore[attr-defined]


def test_a_group_that_has_lost_its_text_says_the_recorded_one() -> None:
    """With its members, copied too."""
    group: Any = HandleGroup("g", [ValueError(1)])
    group.handle = Handle()
    rebuilt = back(group)
    for each in (rebuilt, copy.copy(rebuilt), back(rebuilt)):
        assert (str(each), len(each.exceptions), isinstance(each, HandleGroup)) == ("all of a.example", 1, True)


def test_an_error_that_has_lost_its_text_says_the_recorded_one() -> None:
    """`str(error)` in an `except` clause raises nothing, live or on replay."""
    rebuilt = back(HandleError(Handle()))
    assert str(rebuilt) == "cannot reach a.example"
    assert isinstance(rebuilt, HandleError)
    assert (type(rebuilt).__name__, rebuilt.errno) == ("HandleError", 111)
    again = back(rebuilt)
    assert (str(again), type(again)) == (str(rebuilt), type(rebuilt))
    assert again.__notes__ == rebuilt.__notes__
    assert str(back(ExceptionGroup("g", [rebuilt])).exceptions[0]) == "cannot reach a.example"
    for copied in (copy.copy(rebuilt), pickle.loads(pickle.dumps(rebuilt))):  # noqa: S301 - made here
        assert (str(copied), type(copied), copied.errno) == (str(rebuilt), type(rebuilt), 111)
    assert str(serializer.accept([rebuilt], what="it")[1][0]) == "cannot reach a.example"


def test_a_validation_error_of_django_keeps_its_messages() -> None:
    """Nested ones, those with plurals and parameters, and those that are translated when they are shown."""
    from django.conf import settings
    from django.core.exceptions import ValidationError
    from django.utils.translation import gettext_lazy, ngettext_lazy

    if not settings.configured:
        settings.configure(USE_I18N=False)
    plural = ngettext_lazy("at most %(most)d%% sign", "at most %(most)d%% signs", "most")
    texts = [ValidationError(plural, "max", {"most": 3}), ValidationError(gettext_lazy("no"))]
    error = ValidationError({"name": texts, "mail": ["bad"]})
    rebuilt = back(error)
    assert type(rebuilt) is ValidationError
    assert rebuilt.message_dict == {"name": ["at most 3% signs", "no"], "mail": ["bad"]} == error.message_dict
    assert str(rebuilt) == str(error)
    assert rebuilt.error_dict["name"][0].code == "max"
    assert back(rebuilt).message_dict == error.message_dict
    assert back(ValidationError("one %(x)s", params={"x": object()})).messages[0].startswith("one <RecordedObject")


def test_headers_of_an_error_itself_are_kept() -> None:
    """As aiohttp's errors and urllib's have them; in small letters, and none that may be a secret."""
    error: Any = ServiceError({}, "get")
    error.headers = httpx.Headers({"Retry-After": "3", "Set-Cookie": "hunter2"})
    stored = serializer.dump_error(error)
    assert serializer.load_error(stored).headers == {"retry-after": "3"}  # type: ignore[attr-defined]
    assert "hunter2" not in stored.text
