"""What is asked of a run, or registered in it, wrongly, too late, or of nobody: a clear error, nothing half done."""

from __future__ import annotations

from typing import Any

import pytest

import perdure
from perdure import (
    RunEndedError,
    RunNotFoundError,
    SerializationError,
    UsageError,
    WaitTimeoutError,
    on_query,
    on_update,
    recv,
    send,
    workflow,
)
from tests.conformance.ledger import PATIENCE_SECONDS
from tests.conformance.test_updates import Line, areserve, close, order, reserve

pytestmark = pytest.mark.usefixtures("app")


def test_an_update_to_what_is_not_there_or_has_ended_is_an_error() -> None:
    """A clear one, of the tree."""
    with pytest.raises(RunNotFoundError):
        perdure.handle("nobody").update("add", 1)
    handle = perdure.start(order, "close")
    close(handle)
    handle.result(PATIENCE_SECONDS)
    with pytest.raises(RunEndedError, match="never reached it"):
        handle.update("add", Line("late"))


@workflow
def never_asked() -> object:
    """It registers nothing."""
    return recv("go")


def test_an_update_that_nobody_takes_times_out() -> None:
    """And is told that the run has ended, when it has."""
    handle = perdure.start(never_asked)
    with pytest.raises(WaitTimeoutError, match="under the same key"):
        handle.update("add", 1, timeout=0.05, key="k")
    send(handle, 1, topic="go")
    handle.result(PATIENCE_SECONDS)
    with pytest.raises(RunEndedError, match="never reached it"):
        handle.update("add", 1, key="k")


@workflow
def wrongly_registered(what: str) -> str:
    """What is given wrong is refused where it is given."""
    wrong: dict[str, Any] = {
        "name": lambda: on_update("", print),
        "fn": lambda: on_update("x", 3),  # type: ignore[arg-type]  # what is tried
        "async": lambda: on_update("x", areserve),
        "validate": lambda: on_update("x", print, validate=areserve),
        "query": lambda: on_query("x", areserve),
        "own": lambda: reserve("a step") and perdure.handle(perdure.current().run_id).update("x"),
    }
    try:
        wrong[what]()
    except UsageError as error:
        return str(error)
    return "nothing"


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("name", "give a text of 1 to"),
        ("fn", "give a function, not a int"),
        ("async", "a coroutine function only to on_update in an async workflow"),
        ("validate", "give a plain function"),
        ("query", "give a plain function"),
        ("own", "an answer of itself"),
    ],
)
def test_bad_input_is_refused_where_it_is_given(what: str, told: str) -> None:
    """In the workflow; and outside of one there is nothing to register."""
    assert told in str(perdure.start(wrongly_registered, what).result(PATIENCE_SECONDS))
    for register in (on_update, on_query):
        with pytest.raises(UsageError, match="is for the code of workflows"):
            register("x", print)


def test_what_is_asked_wrongly_is_refused() -> None:
    """Before anything is sent."""
    handle = perdure.start(never_asked)
    with pytest.raises(UsageError, match="update: key"):
        handle.update("add", key="")
    with pytest.raises(UsageError, match="give a class"):
        handle.update("add", type="int")  # type: ignore[call-overload]  # what is tried
    with pytest.raises(SerializationError):
        handle.update("add", object())
    handle.cancel()


def test_an_answer_of_another_type_is_an_error() -> None:
    """The update was done all the same."""
    handle = perdure.start(order, "close")
    with pytest.raises(SerializationError, match="is a int"):
        handle.update("add", Line("a"), key="k", type=str)
    assert handle.update("add", Line("a"), key="k", type=int) == 1
    handle.cancel()
