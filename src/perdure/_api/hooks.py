"""Hooks: a workflow waits for one answer from outside, a person's or a webhook's; `resolve` and `reject` give it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, Final, Generic, TypeVar, overload

from .._core.answers import shape_of
from .._core.definitions import DEFINITIONS
from .._core.flow import Flow, Outcome, adrive, drive
from .._core.flows.hook import OpenedHook, await_answer, open_hook
from .._core.flows.resolve import error_of, problem_of
from .._core.flows.resolve import resolve as resolve_flow
from .._core.flows.value import NO_ARGUMENTS
from .._core.given import limit_of
from .._core.lineage import Branch, scope
from .._core.serialization import Serializer
from .._core.serialization.annotations import types_of
from .._core.several import Limit
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.runtime import Runtime
from .._entries import HookResolved
from ..errors import UsageError, WaitTimeoutError
from ..typing import Seconds
from .answering import Answer, rejection, resolution, token_of
from .app import current_runtime, running_loop, runtime_of
from .delivering import deliver, deliver_on_loop
from .driving import is_coroutine_frame
from .messages import REQUIRED
from .recorded_values import Done
from .waits import late

T = TypeVar("T")

TIMED_OUT: Final = Outcome()
LONGEST_QUESTION: Final = 10_000


class Hook(Generic[T]):
    """What a workflow waits for under a `token`, made by `hook`. In sync code `hook.wait()`, in async code
    `await hook`, or `hook.wait()` as a coroutine for task groups.

    A wait that a `perdure.timeout` block or a cancellation ends leaves the hook open, and may be made again; who waits
    again after the answer gets it again. One branch at a time waits for a hook.
    """

    __slots__ = ("_default", "_opened", "_seconds")

    def __init__(self, opened: OpenedHook, seconds: float | None, default: object) -> None:
        self._opened = opened
        self._seconds = seconds
        self._default = default

    def __repr__(self) -> str:
        return f"<Hook of run {self._opened.run.run_id}>"  # whoever reads a log could answer with the token

    @property
    def token(self) -> str:
        """What `resolve` takes: a secret of those who may answer. Hand it out in a step: when the body of that begins,
        the hook is durable.
        """
        return self._opened.token

    def wait(self) -> T:
        """The answer; durably, however long. Raises `WaitTimeoutError` after the hook's `timeout`, unless it has a
        `default`; what it was rejected with, or `HookRejectedError` where that was a text; `HookAnswerError` where the
        answer is not of the type, which is told to whoever gives it if that can be known there.
        """
        here, opened = scope.get(), self._opened
        if not isinstance(here, Branch) or here.run is not opened.run:
            raise UsageError(
                f"this hook belongs to the code of run {opened.run.run_id}, and only that waits for it, not a step or "
                "another run: hand the answer on, or the token"
            )
        branch = own_branch(here)
        if opened.outcome is not None:
            return self._later(opened.outcome) if branch.is_async else self._given(opened.outcome)  # type: ignore[return-value]  # to be awaited
        flow = await_answer(opened, branch.next_key(), limits=branch.limits)
        if branch.is_async:
            return self._await(flow)  # type: ignore[return-value]  # as above
        with Waiting(opened):
            found = drive(flow, opened.run)
        return self._given(found)

    def __await__(self) -> Generator[Any, None, T]:
        waiting: Any = self.wait()
        if not hasattr(waiting, "__await__"):
            raise UsageError("a hook of a sync workflow is not awaited: call hook.wait()")
        return waiting.__await__()  # type: ignore[no-any-return]  # as `wait` says

    async def _await(self, flow: Flow[Outcome | Limit | None]) -> T:
        with Waiting(self._opened):
            found = await adrive(flow, self._opened.run)
        return self._given(found)

    async def _later(self, found: Outcome) -> T:
        return self._given(found)

    def _given(self, found: Outcome | Limit | None) -> T:
        if isinstance(found, Limit):
            raise late(found.seconds)
        self._opened.outcome = outcome = TIMED_OUT if found is None else found
        if outcome is TIMED_OUT:
            if self._default is not REQUIRED:
                return self._default  # type: ignore[return-value]  # the caller's own
            raise WaitTimeoutError(f"no answer to a hook of run {self._opened.run.run_id} came in {self._seconds:g} s")
        if outcome.error is not None:
            raise outcome.error
        return outcome.value  # type: ignore[no-any-return]  # of the type that was asked for


class Waiting:
    """A branch waits for the hook. Raises `UsageError` where another one does, which was not cancelled."""

    def __init__(self, opened: OpenedHook) -> None:
        self._opened = opened
        self.task = None if running_loop() is None else asyncio.current_task()

    def __enter__(self) -> None:
        other = self._opened.waiter
        if other is not None and not (other.task is not None and other.task.cancelling()):
            raise UsageError("another branch of the run waits for this hook: wait in one of them, and hand it on")
        self._opened.waiter = self

    def __exit__(self, *error: object) -> None:
        if self._opened.waiter is self:
            self._opened.waiter = None


@overload
def hook(
    type: type[T],
    *,
    token: str | None = None,
    timeout: Seconds | None = None,
    default: Any = ...,
    question: str | None = None,
) -> Hook[T]: ...
@overload
def hook(
    type: Any = Any,
    *,
    token: str | None = None,
    timeout: Seconds | None = None,
    default: Any = ...,
    question: str | None = None,
) -> Hook[Any]: ...
def hook(
    type: Any = Any,
    *,
    token: str | None = None,
    timeout: Seconds | None = None,
    default: Any = REQUIRED,
    question: str | None = None,
) -> Hook[Any]:
    """Open a hook: something that this workflow waits for, and that somebody outside answers once, by
    `perdure.resolve(hook.token, value)`, a `Client`, an endpoint of `perdure.integrations.hooks` or the command line.
    Returns at once, in async code too; then `hook.wait()` or `await hook`.

    `type` is what the answer must be: a dataclass, a pydantic model, `bool`, `str | None`, `Literal[...]`, or anything
    else that JSON data can be made into; without one it is whatever is given. An answer that does not fit is refused
    where it is given. `token`: by default one that nobody can guess, the same at every replay; one of your own is known
    beforehand, and `HookTakenError` is raised where another hook has it that is not over. `timeout`: seconds, or a
    `timedelta`, from here on; a restart does not begin them anew. Then the hook takes no answer any more, and the wait
    raises `WaitTimeoutError`, or gives the `default` where there is one. `question`: a text for people, shown with the
    hook wherever it is; it is kept, and not compared on replay.
    """
    here = scope.get()
    if not isinstance(here, Branch):
        raise UsageError(
            "hook: a hook is opened by a workflow, and this is not the code of one: open it there, and hand its token "
            "to the step as an argument"
        )
    branch = own_branch(here)
    shape, seconds = shape_of(type), limit_of(timeout, "hook: timeout")
    if types_of(type).types:
        DEFINITIONS.types.register(type)
    chosen = None if token is None else token_of(token, "hook: token")
    fingerprint = NO_ARGUMENTS
    if chosen is not None:
        fingerprint, *_ = branch.run.serializer.accept_call((chosen,), {}, what="the token of a hook")
    flow = open_hook(
        branch.run,
        branch.next_key(),
        shape,
        token=chosen or f"hook_{secrets.token_urlsafe(24)}",
        is_chosen=chosen is not None,
        seconds=None if seconds is None else max(0.0, seconds),
        fingerprint=fingerprint,
        is_instant=branch.is_async,
        question=None if question is None else asked(question),
    )
    return Hook(drive(flow, branch.run), seconds, default)


def asked(question: object) -> str:
    """What people are asked. Raises `UsageError` where it cannot be kept."""
    if not isinstance(question, str) or len(question) > LONGEST_QUESTION or not storable(question):
        raise UsageError(f"hook: question: give a text of at most {LONGEST_QUESTION} characters")
    return question


def storable(text: str) -> bool:
    """Whether every database takes it."""
    return "\x00" not in text and text.encode(errors="replace").decode() == text


def resolve(token: str, value: object, *, key: str | None = None) -> Awaitable[None]:
    """Answer the hook that has this token; returns when that is durable. `await` it in async code.

    The value is one of the type that the hook waits for, or the JSON data that it is made of. It is received once,
    whatever the run does: it may wait, be parked, held by another process, or recovering. Raises, and nothing has
    happened then: `HookNotFoundError`; `HookResolvedError` where somebody was first; `HookClosedError` where it has
    timed out or its run has ended; `HookAnswerError` for a value that does not fit. `key`: a text that tells this
    answer from all others to the hook, such as a webhook's delivery: the same again is success. In a workflow a hook
    is resolved once in any case; in a step that may be tried again give a `key`.
    """
    return answered("resolve", token, lambda serializer: resolution(value), key, is_to_await=is_coroutine_frame())


def reject(token: str, error: Exception | str, *, key: str | None = None) -> Awaitable[None]:
    """Answer the hook with an error, which the workflow gets raised where it waits; a text as `HookRejectedError`. As
    `resolve` otherwise.
    """
    return answered(
        "reject", token, lambda serializer: rejection(error, serializer), key, is_to_await=is_coroutine_frame()
    )


def answered(
    what: str, token: str, tell: Callable[[Serializer], list[Any]], key: str | None, *, is_to_await: bool
) -> Awaitable[None]:
    """Answer from where the call is made."""
    here = scope.get()
    if type(here) is Branch:
        return in_run(own_branch(here), what, token, tell, key)
    runtime = current_runtime()
    runtime.check_open()
    answer = Answer(token, tell(runtime.serializer), what=what, key=key)
    if is_to_await and running_loop() is not None:
        return answer_on_loop(runtime, answer)
    prepared = answer.prepare(runtime.store, runtime.serializer)
    if type(prepared) is HookResolved:
        prepared = problem_of(prepared, deliver(runtime, [prepared])[0]) or []
    raise_problem(error_of(answer.token, prepared))
    return Done()


def in_run(
    branch: Branch, what: str, token: str, tell: Callable[[Serializer], list[Any]], key: str | None
) -> Awaitable[None]:
    """The same in a workflow, recorded."""
    run, runtime, call = branch.run, runtime_of(branch.run), branch.next_key()
    run.check_alive()
    place = "\x1f".join((run.run_id, str(run.incarnation), call))
    answer = Answer(token, tell(run.serializer), what=what, key=key, call=place)
    told = answer.told if answer.told[0] != "rejected" else answer.told[:1]  # an error's traceback may differ
    fingerprint, preview, stored, *_ = run.serializer.accept_call((answer.token, told), {}, what=f"what {what} says")
    prepare = partial(answer.prepare, runtime.store, run.serializer, run.claim)
    flow = resolve_flow(run, call, answer.token, prepare, fingerprint, preview, stored)
    if branch.is_async:
        return raised_later(adrive(flow, run))
    raise_problem(drive(flow, run))
    return Done()


async def answer_on_loop(runtime: Runtime, answer: Answer) -> None:
    """From an event loop, which goes on meanwhile."""
    prepared = await asyncio.to_thread(answer.prepare, runtime.store, runtime.serializer)
    if type(prepared) is HookResolved:
        [verdict] = await deliver_on_loop(runtime, [prepared])
        prepared = problem_of(prepared, verdict) or []
    raise_problem(error_of(answer.token, prepared))


async def raised_later(resolving: Awaitable[BaseException | None]) -> None:
    """What is wrong, once it is known."""
    raise_problem(await resolving)


def raise_problem(error: BaseException | None) -> None:
    """Raise what is wrong."""
    if error is not None:
        raise error
