"""What becomes of errors: raised again with what they said, live and replayed alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

import perdure
from perdure import step, workflow
from perdure.errors import RecordedError
from tests.conformance.ledger import PATIENCE_SECONDS, areplay, ran, replay

pytestmark = pytest.mark.usefixtures("app")


class NeedsTwoError(Exception):
    """Pickle would call this with the message alone."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class KeywordOnlyError(Exception):
    """A constructor that takes no positional argument."""

    def __init__(self, *, status: int) -> None:
        super().__init__()
        self.status = status

    def __str__(self) -> str:
        return f"status {self.status}"


class UnpicklableError(Exception):
    """It holds a lock."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.lock = threading.Lock()


class RudeError(Exception):
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def make_unicode_error() -> Exception:
    """Python makes these itself."""
    try:
        b"\xff".decode()
    except UnicodeDecodeError as error:
        return error
    raise AssertionError


MAKERS: dict[str, Callable[[], BaseException]] = {
    "builtin": lambda: ValueError("bad", 3),
    "no arguments": lambda: KeyError(),
    "required arguments": lambda: NeedsTwoError(404, "gone"),
    "keyword only": lambda: KeywordOnlyError(status=503),
    "unpicklable": lambda: UnpicklableError("locked"),
    "rude": lambda: RudeError(1),
    "os": lambda: FileNotFoundError(2, "No such file", "/x"),
    "unicode": make_unicode_error,
    "assertion": lambda: AssertionError("not so"),
    "group": lambda: ExceptionGroup("many", [ValueError(1), NeedsTwoError(1, "x")]),
    "recursion": lambda: RecursionError("too deep"),
    "timeout": lambda: TimeoutError("late"),
}


def text_of(error: BaseException) -> str:
    """Its text, if it has one."""
    try:
        return str(error)
    except RuntimeError:
        return "rude"


@step
def fails(kind: str) -> None:
    """Raise it."""
    ran.append("fails")
    raise MAKERS[kind]()


@workflow
def catches(kind: str) -> list[str]:
    """Catch it, and tell what it was; live and replayed."""
    try:
        fails(kind)
    except Exception as error:
        ran.append(f"caught {type(error).__name__} {text_of(error)}")
        seen = [type(error).__qualname__, text_of(error)]
    replay()
    return seen


@pytest.mark.parametrize("kind", MAKERS)
def test_an_error_of_a_step_is_the_same_live_and_replayed(kind: str) -> None:
    """DBOS (dbos-transact-py#371, #730), Celery (#6990, #6185), AWS (sdk-js#217): constructors, locks, masked types."""
    made = MAKERS[kind]()
    assert catches(kind) == [type(made).__qualname__, text_of(made)]
    caught = f"caught {type(made).__name__} {text_of(made)}"
    assert ran == ["fails", caught, caught]


@workflow
def reads_attributes() -> list[Any]:
    """What the classes keep."""
    seen: list[Any] = []
    for kind in ("required arguments", "keyword only", "os", "unicode", "group"):
        try:
            fails(kind)
        except NeedsTwoError as error:
            seen.append([error.code, error.detail])
        except KeywordOnlyError as error:
            seen.append(error.status)
        except FileNotFoundError as error:
            seen.append([error.errno, error.filename])
        except UnicodeDecodeError as error:
            seen.append([error.start, error.reason])
        except ExceptionGroup as group:
            seen.append([type(one).__name__ for one in group.exceptions])
    replay()
    return seen


def test_an_error_keeps_its_attributes() -> None:
    """Celery keeps `args` alone; code that decides by `error.status` must decide alike at the replay."""
    assert reads_attributes() == [
        [404, "gone"],
        503,
        [2, "/x"],
        [0, "invalid start byte"],
        ["ValueError", "NeedsTwoError"],
    ]


@step
def exhausted() -> None:
    """`next()` of what has no more."""
    ran.append("exhausted")
    next(iter(()))


@workflow
def exhausted_child() -> None:
    """It raises it too."""
    raise StopIteration


@workflow
def asks_for_more() -> str:
    """It catches what comes."""
    with pytest.raises(StopIteration):
        exhausted_child()
    try:
        exhausted()
    except StopIteration as error:
        ran.append(repr(error))
        seen = repr(error.__context__)
    replay()
    return seen


@workflow
async def aasks_for_more() -> str:
    """It catches what Python makes of it where a coroutine would raise it."""
    try:
        exhausted()
    except StopIteration as error:
        ran.append(repr(error))
    await areplay()
    return "None"


@pytest.mark.parametrize("function", [asks_for_more, aasks_for_more], ids=["sync", "async"])
def test_a_stop_iteration_of_a_sync_step_is_raised_as_itself(function: Any) -> None:
    """Live and replayed alike, though the driver of a step is a generator, which cannot raise it (PEP 479)."""
    assert perdure.start(function).result(PATIENCE_SECONDS) == "None"
    assert ran == ["exhausted", "StopIteration()", "StopIteration()"]


@step
def fails_for_a_reason() -> None:
    """A chain of errors."""
    try:
        {}["inner"]
    except KeyError as error:
        failure = NeedsTwoError(1, "outer")
        failure.add_note("while counting")
        raise failure from error


@workflow
def reads_the_chain() -> list[Any]:
    """Cause and note."""
    try:
        fails_for_a_reason()
    except NeedsTwoError as error:
        replay()
        return [
            repr(error.__cause__),
            error.__notes__[0],
            any("fails_for_a_reason" in note for note in error.__notes__),
        ]
    return []


def test_an_error_keeps_its_cause_its_notes_and_the_text_of_its_traceback() -> None:
    """Temporal carries causes and stack traces over the wire."""
    assert reads_the_chain() == ["KeyError('inner')", "while counting", True]


@workflow
def does_not_catch(kind: str) -> None:
    """It ends with the error."""
    replay()
    fails(kind)


@pytest.mark.parametrize("kind", ["required arguments", "unpicklable", "group"])
def test_an_error_that_nobody_catches_ends_the_run_and_reaches_who_waits(kind: str) -> None:
    """All systems; also for who asks later by the id alone (dbos-transact-py#371)."""
    made = MAKERS[kind]()
    handle = perdure.start(does_not_catch, kind)
    with pytest.raises(type(made)):
        handle.result()
    error = perdure.handle(handle.run_id).exception()
    assert type(error) is type(made)
    assert text_of(error) == text_of(made)


@workflow
def fails_at_once() -> None:
    """No step before the error."""
    raise NeedsTwoError(9, "at once")


def test_a_workflow_may_fail_before_its_first_step() -> None:
    """AWS: an execution that fails before its first checkpoint is an execution that failed."""
    with pytest.raises(NeedsTwoError, match="9: at once"):
        fails_at_once()


@workflow
def compensates() -> list[str]:
    """A saga: undo in reverse order what was done."""
    undo: list[str] = []
    try:
        for name in ("flight", "hotel", "car"):
            book(name)
            undo.append(name)
    except NeedsTwoError:
        done = [cancel_booking(name) for name in reversed(undo)]
    replay()
    return done


@step
def book(name: str) -> None:
    """The third one fails."""
    ran.append(f"book {name}")
    if name == "car":
        raise NeedsTwoError(1, name)


@step
def cancel_booking(name: str) -> str:
    """Undo."""
    ran.append(f"cancel {name}")
    return name


def test_steps_that_undo_others_run_once_each_in_their_order() -> None:
    """The saga of Temporal's and Restate's guides."""
    assert compensates() == ["hotel", "flight"]
    assert ran == ["book flight", "book hotel", "book car", "cancel hotel", "cancel flight"]


@step
def fails_with_a_stranger() -> None:
    """Its class is gone at the replay, as after a deploy."""
    raise type("GoneError", (Exception,), {"__module__": "somewhere.else"})("who am I?")


@workflow
def meets_a_stranger() -> list[str]:
    """It can still read what it was."""
    try:
        fails_with_a_stranger()
    except Exception as error:
        replay()
        return [type(error).__name__, getattr(error, "type_name", ""), getattr(error, "message", "")]
    return []


def test_an_error_of_an_unknown_class_says_what_it_was() -> None:
    """Hatchet and Inngest give every error as text; here only those whose class is not there."""
    assert meets_a_stranger() == [RecordedError.__name__, "somewhere.else:GoneError", "who am I?"]


@workflow
def swallows_everything() -> str:
    """Even what is no `Exception`: the park's own order to leave."""
    try:
        replay()
    except BaseException:
        ran.append("swallowed")
        fails("builtin")
    return "went on"


def test_user_code_that_swallows_the_park_cannot_go_on_with_it() -> None:
    """AWS (sdk-java#46), windmill (#10348), Inngest: a suspension by exception, caught, became a failure."""
    assert swallows_everything() == "went on"
    assert ran == ["swallowed"]


@workflow
def finally_runs() -> str:
    """A `finally` with a durable call in it."""
    try:
        replay()
    finally:
        ran.append("finally")
        fails_never()
    return "done"


@step
def fails_never() -> None:
    """Clean up."""
    ran.append("cleaned")


def test_a_durable_call_in_a_finally_runs_once() -> None:
    """Temporal runs `finally` when a workflow is evicted (sdk-python's known trap); durable calls there do nothing."""
    assert finally_runs() == "done"
    assert ran == ["finally", "finally", "cleaned"]
