"""What cannot be written to a stream, or read from one, is refused where it is asked."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import perdure
from perdure import Handle, RunNotFoundError, SerializationError, UsageError, step, stream, workflow
from tests.conformance.ledger import PATIENCE_SECONDS, await_signal, signals

pytestmark = pytest.mark.usefixtures("app")

late: list[Any] = []


@step
def leaves_a_thread() -> None:
    """Which writes when the step is over."""
    import contextvars

    context = contextvars.copy_context()

    def write_late() -> None:
        await_signal("over")
        try:
            stream("words").write("late")
        except UsageError as error:
            late.append(str(error))

    late.append(threading.Thread(target=lambda: context.run(write_late)))
    late[0].start()


@workflow
def writes_badly() -> list[str]:
    """Everything that cannot be written."""
    told = []
    out = stream("words")
    leaves_a_thread()
    signals["over"].set()
    late[0].join(PATIENCE_SECONDS)
    for value in (object(), threading.Lock()):
        try:
            out.write(value)
        except SerializationError as error:
            told.append(type(error).__name__)
    out.close()
    out.close()
    for act in (lambda: out.write(1), closes_in_a_step, reads_itself):
        try:
            act()
        except UsageError as error:
            told.append(str(error).partition(":")[0][:30])
    return told


@step
def closes_in_a_step() -> None:
    """Which its next attempt could not take back."""
    stream("words").close()


def reads_itself() -> None:
    """Or another run: what it sees would change."""
    list(perdure.handle(perdure.current().run_id).stream("words"))


def test_what_cannot_be_written_or_read_is_refused_where_it_is_asked() -> None:
    """The run goes on as it likes."""
    late.clear()
    handle = perdure.start(writes_badly)
    told = handle.result(PATIENCE_SECONDS)
    assert told[:2] == ["SerializationError"] * 2
    assert [text[:20] for text in told[2:]] == [
        "stream 'words' of ru",
        "stream.close() is fo",
        "a stream is read in ",
    ]
    assert "attempt 1 of this step" in late[1]
    assert list(handle.stream("words")) == []
    with pytest.raises(UsageError, match="is for workflows and steps"):
        stream("words").write(1)
    with pytest.raises(UsageError):
        stream("")
    for offset in (-1, True, "3", 1.0, 2**63):  # the last would be refused by Postgres, to all who read beside it
        with pytest.raises(UsageError, match="offset"):
            handle.stream("words", offset=offset)  # type: ignore[arg-type]  # what is refused
    with pytest.raises(RunNotFoundError):
        list(Handle[Any](handle._runtime, "nobody").stream("words"))
