"""Every error that Perdure raises, one class per thing that a caller can do about it.

PerdureError
 ├─ UsageError               the program is written wrong: change the code that the message names
 │   ├─ NotDurableError      an undecorated function was given to `start` or `submit`
 │   ├─ LineageError         a durable call from a thread or task that does not own the run's branch
 │   ├─ ScheduleNotFoundError   no schedule has this name
 │   └─ ForkedError          a durable call in a forked child, on a run that belongs to its parent
 ├─ SerializationError       a value cannot be stored, or a stored one cannot be read
 ├─ RecordedError            stands in for a recorded error whose class this process does not know
 ├─ RunExistsError           the id is taken by a run with other arguments or another workflow
 ├─ DuplicateRunError        another run of the queue has the key, and none was made
 ├─ RunNotFoundError         no run has this id
 ├─ RunEndedError            the run has ended: what was sent to it cannot reach it any more
 ├─ UpdateRefusedError       the run does not do what it was asked to; nothing has changed
 ├─ QueryNotFoundError       the run answers no query of this name
 ├─ HookError                a hook cannot be answered, or was not
 │   ├─ HookNotFoundError    no hook has this token
 │   ├─ HookResolvedError    it was resolved before: the first answer counts
 │   ├─ HookClosedError      it takes no answer any more: it has timed out, or its run has ended
 │   ├─ HookAnswerError      the answer is not what the hook waits for
 │   ├─ HookTakenError       another hook has the token
 │   └─ HookRejectedError    somebody has rejected it: in the run that waits
 ├─ RunFailedError           the run ended without a value
 │   ├─ RunCancelledError    somebody cancelled it
 │   │   └─ RunTimeoutError  it was not over by its deadline
 │   └─ RunDeadError         it ended its worker too often
 ├─ RunStuckError            the run waits until its code or data is mended
 ├─ SteeringError            a run cannot be started anew, forked or deleted as things are
 ├─ NondeterminismError      a replay asked for something else than what is recorded
 ├─ StepTimeoutError         an attempt of a step took longer than its timeout
 ├─ StepCrashedError         the process that a step has to itself ended in its body
 ├─ WaitTimeoutError         what was waited for did not come in time
 ├─ StreamRewoundError       what was read of a stream is void: a step that wrote it was tried again
 ├─ StepInterruptedError     a step that may run at most once was cut off: its effect is not known
 └─ StoreError               the database
     ├─ StoreUnavailableError   it is not there, or did not answer
     ├─ StoreRefusedError       it refused a value that had passed every check
     └─ UnsupportedStoreError   its version, its file system or its URL cannot be used

Not errors, and not under `Exception`, so that user code cannot swallow them by accident:
RunInterrupted: this process has let go of the run; nothing durable happens in it any more.
"""

from __future__ import annotations

from typing import Any


class PerdureError(Exception):
    """Anything that Perdure raises on purpose."""


class UsageError(PerdureError):
    """The program uses Perdure in a way that cannot work; the message names the mend."""


class NotDurableError(UsageError):
    """A function without `@workflow` or `@step` was to be made durable."""


class ScheduleNotFoundError(UsageError):
    """There is no schedule of this name in the database."""


class LineageError(UsageError):
    """A durable call came from a thread, task or callback that does not own its branch of the run."""


class ForkedError(UsageError):
    """A forked child made a durable call on a run that its parent process holds."""


class SerializationError(PerdureError):
    """A value cannot be stored, or what is stored cannot be read.

    `path` leads to the part of the value that is meant, such as `$.pages[3].author`.
    """

    def __init__(self, message: str, *, path: str = "$") -> None:
        super().__init__(message)
        self.path = path


class RecordedError(PerdureError):
    """A step or run ended with an error whose class this process does not know, or cannot make again.

    `type_name` is that class (`module:qualname`), `message` what the error said, `traceback_text` where it was raised.
    """

    def __init__(self, type_name: str, message: str, *, traceback_text: str = "") -> None:
        super().__init__(f"{type_name}: {message}")
        self.type_name = type_name
        self.message = message
        self.traceback_text = traceback_text

    def __reduce__(self) -> tuple[type[RecordedError], tuple[str, str], dict[str, object]]:
        """Let it cross process boundaries: its `args` are not what its constructor takes."""
        return (type(self), (self.type_name, self.message), self.__dict__)


class RecordedObject:
    """What was kept of an object that hung on a recorded error and cannot be stored, such as an HTTP response.

    `type_name` is the object's class (`module:qualname`); its plain attributes that were kept (`status_code`, `url`,
    `headers` …) are attributes here, and the items of `kept`.
    """

    __slots__ = ("kept", "type_name")

    def __init__(self, type_name: str, kept: dict[str, object]) -> None:
        self.type_name = type_name
        self.kept = kept

    def __getattr__(self, name: str) -> Any:
        """One of the attributes that were kept."""
        if name.startswith("__") or name in RecordedObject.__slots__:
            raise AttributeError(name)
        if name in self.kept:
            return self.kept[name]
        raise AttributeError(
            f"of this {self.type_name} only {', '.join(self.kept) or 'the type'} was recorded with the error, not "
            f"{name!r}; take what you need of it inside the step"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RecordedObject):
            return NotImplemented
        return (self.type_name, self.kept) == (other.type_name, other.kept)

    __hash__ = None  # type: ignore[assignment]  # its attributes may be lists

    def __repr__(self) -> str:
        return f"<RecordedObject of {self.type_name}: {', '.join(self.kept)}>"


class RunExistsError(PerdureError):
    """The run id is in use for another workflow or for other arguments."""

    def __init__(self, message: str, *, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class DuplicateRunError(PerdureError):
    """Another run of the queue, `run_id`, has the key that was given as `dedup`: none was made."""

    def __init__(self, message: str, *, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class RunNotFoundError(PerdureError):
    """There is no run with this id."""

    def __init__(self, message: str, *, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class RunEndedError(PerdureError):
    """The run has ended, with `state`: nothing that is sent to it can reach it any more."""

    def __init__(self, message: str, *, run_id: str, state: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.state = state


class UpdateRefusedError(PerdureError):
    """The run has refused an update, and nothing of it is recorded: its arguments do not fit, its validator has raised,
    or there is none of this name. The cause is what the validator has raised. `name` is the update's.
    """

    def __init__(self, message: str, *, run_id: str, name: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.name = name


class QueryNotFoundError(PerdureError):
    """The code of the run has registered no query of this name; the message names those that it has."""


class HookError(PerdureError):
    """A hook cannot be answered, or was not; `token` is its token."""

    def __init__(self, message: str, *, token: str) -> None:
        super().__init__(message)
        self.token = token


class HookNotFoundError(HookError):
    """There is no hook with this token."""


class HookResolvedError(HookError):
    """The hook was resolved, or rejected, before: the first answer counts."""


class HookClosedError(HookError):
    """The hook takes no answer any more: it has timed out, or its run has ended."""


class HookAnswerError(HookError):
    """The answer is not what the hook waits for; where it is given, the hook stays open."""


class HookTakenError(HookError):
    """The token that a run wants to open a hook under is another hook's, which is not over."""


class HookRejectedError(HookError):
    """Somebody has rejected the hook, with this message: in the run that waits for it."""


class StreamRewoundError(PerdureError):
    """What was read of a stream from `offset` on is void: the step that wrote it has been begun anew. Read again from
    there.
    """

    def __init__(self, message: str, *, run_id: str, stream: str, offset: int) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.stream = stream
        self.offset = offset


class RunFailedError(PerdureError):
    """The run has ended and there is no value."""

    def __init__(self, message: str, *, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class RunCancelledError(RunFailedError):
    """The run was cancelled."""


class RunTimeoutError(RunCancelledError, TimeoutError):
    """The run was not over by its deadline (`with_options(timeout=, deadline=)`), and ended by it, as a cancelled one
    does.
    """


class RunDeadError(RunFailedError):
    """The run's worker died at every allowed attempt while it held this run."""


class RunStuckError(PerdureError):
    """The run has not ended and cannot go on by itself: it is parked until its code, or a row, is mended.

    `reason` says what is to be mended. Nothing is lost: after the mend it goes on, and can be waited for again.
    """

    def __init__(self, message: str, *, run_id: str, reason: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.reason = reason


class SteeringError(PerdureError):
    """A run cannot be started anew, forked or deleted as things are; the message says what to do first."""

    def __init__(self, message: str, *, run_id: str) -> None:
        super().__init__(message)
        self.run_id = run_id


class NondeterminismError(PerdureError):
    """A replay asked for something else than what is recorded; the run is parked until the code fits again."""

    def __init__(self, message: str, *, run_id: str, key: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.key = key


class StepTimeoutError(PerdureError, TimeoutError):
    """One attempt of a step took longer than the step's `timeout`."""


class StepCrashedError(PerdureError):
    """The process that ran the body of a step with `isolation="process"` has ended; the message says how in words.

    `exit_code` is that of the process, negative for a signal's number; None where it did not begin in time. What the
    body had done by then is not known.
    """

    def __init__(self, message: str, *, exit_code: int | None) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class WaitTimeoutError(PerdureError, TimeoutError):
    """What was waited for did not come in time; it goes on, only the wait is over."""


class StepInterruptedError(PerdureError):
    """A step that may run at most once began, and its process ended before its outcome was recorded.

    Whether it took effect is not known, and it is never run again under this call. `step` is its name.
    """

    def __init__(self, message: str, *, run_id: str, step: str) -> None:
        super().__init__(message)
        self.run_id = run_id
        self.step = step


class StepNotDoneError(PerdureError):
    """Raise it in the function that `@step(reconcile=...)` names, to say that the step did not take effect: its body
    runs then. Raised anywhere else it is an error like any other.
    """


class UndoFailedError(PerdureError):
    """Something that a run has done could not be undone, in all its retries; the rest was. It says what and why, and is
    the error of the run that undoes.
    """


class TransactionConflictError(PerdureError):
    """The database could not bring a transactional step's transaction and another one into an order: nothing of it has
    happened, and the same again will do. The driver's own error is its cause.
    """


class StoreError(PerdureError):
    """The database could not do what was asked."""


class StoreUnavailableError(StoreError):
    """The database is not there or did not answer; whether it did the last thing is not known."""


class StoreRefusedError(StoreError):
    """The database refused a value; sending it again cannot help."""


class UnsupportedStoreError(StoreError):
    """This database, its version, its file system or its URL cannot be used."""


class RunInterrupted(BaseException):
    """This process has let go of the run: it was parked, released, cancelled or taken over.

    Raised in the run's own code, which may clean up in memory but can do nothing durable any more.
    """
