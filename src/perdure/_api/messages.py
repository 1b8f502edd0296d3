"""Messages: `send` and `send_many`, from anywhere; `recv`, in a workflow."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, TypeVar, overload

from .._core.flow import adrive, drive
from .._core.flows.recv import Message as Received
from .._core.flows.recv import receive
from .._core.flows.send import errors_of, message_id, missed_of
from .._core.flows.send import send as send_flow
from .._core.given import check_type, limit_of, text_name
from .._core.lineage import Branch, scope
from .._core.purity import check_may_act
from .._core.several import Limit
from .._engine.door import Door
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.ids import fresh_id
from .._entries import MessageSent
from ..errors import PerdureError, SerializationError, UsageError, WaitTimeoutError
from ..typing import RunId, Seconds
from .app import current_runtime, running_loop, runtime_of
from .delivering import deliver, deliver_on_loop
from .driving import is_coroutine_frame
from .handle import Handle
from .recorded_values import Done
from .waits import late

T = TypeVar("T")
D = TypeVar("D")

OWN_TOPICS: Final = "perdure:"

REQUIRED: Final[Any] = object()
"""In the place of a default: that none is given."""


class Message(NamedTuple):
    """A message for `send_many`: to which run, by its handle or id; the value; the topic; and perhaps a key."""

    run: Handle[Any] | RunId
    value: object
    topic: str = ""
    key: str | None = None


def send(run: Handle[Any] | RunId, value: object, *, topic: str = "", key: str | None = None) -> Awaitable[None]:
    """Send a value to a run, which gets it by `recv(topic)`; returns when it is durable. `await` it in async code.

    The run may not have begun, may wait, be parked, held by another process, or recovering: it receives the message
    once, after those that were sent to this topic before. `RunNotFoundError` where there is no such run,
    `RunEndedError` where it has ended. `key`: a text that tells this message from all others to the run: one that was
    sent before under the same key is not sent again, whatever its value. In a workflow a message is sent once in any
    case; in a step, or outside, once for each call, so give the call a `key` there (in a step that is tried again
    `idempotency_key()`).
    """
    return dispatched([Message(run, value, topic, key)], "send", is_to_await=is_coroutine_frame())


def send_many(messages: Iterable[Message | tuple[Any, ...]]) -> Awaitable[None]:
    """Send several messages, `Message(run, value, topic, key)` or such tuples, with few commits for all of them.

    In the order given; if one of them cannot be sent at all (a run that is none, a value that cannot be stored), none
    is. Those to runs that do not exist, or have ended, are left out and told together, in an `ExceptionGroup` of
    `RunNotFoundError` and `RunEndedError`: the others were sent.
    """
    return dispatched(messages_of(messages), "send_many", is_to_await=is_coroutine_frame())


def messages_of(messages: Iterable[Message | tuple[Any, ...]]) -> list[Message]:
    """Those of `send_many`. Raises `UsageError`."""
    if isinstance(messages, (str, bytes, tuple)) or not isinstance(messages, Iterable):
        raise UsageError("send_many: give a list of perdure.Message(run, value), or of such tuples")
    return [message_of(given) for given in messages]


def message_of(given: object) -> Message:
    """One of `send_many`'s."""
    if not isinstance(given, tuple) or not 2 <= len(given) <= len(Message._fields):
        raise UsageError(f"send_many: give perdure.Message(run, value), or such tuples, not a {type(given).__name__}")
    return Message(*given)


def dispatched(messages: Sequence[Message], what: str, *, is_to_await: bool) -> Awaitable[None]:
    """Send them from where the call is made."""
    here = scope.get()
    if type(here) is Branch:
        branch = own_branch(here)
        runtime, run = runtime_of(branch.run), branch.run
        run.check_alive()
        key = branch.next_key()
        life = [str(run.incarnation)] if run.incarnation else []  # a run that was started anew sends anew
        call = (run.run_id, key, *life)
        entries = [entry_of(runtime, m, what, run.claim, *call, str(n)) for n, m in enumerate(messages)]
        sent = run.serializer.together([([entry.run_id, entry.topic], entry.value) for entry in entries])
        flow = send_flow(run, key, entries, sent)
        if branch.is_async:
            return told_later(adrive(flow, run), what)
        tell(drive(flow, run), what)
        return Done()
    check_may_act(here, f"{what}()")
    door = door_for(messages)
    if is_to_await and running_loop() is not None:
        entries = [entry_of(door, message, what, None) for message in messages]
        return told_later(send_on_loop(door, entries), what)
    send_through(door, messages, what)
    return Done()


def send_through(door: Door, messages: Sequence[Message], what: str) -> None:
    """Send them from outside any run, and return when they are durable."""
    entries = [entry_of(door, message, what, None) for message in messages]
    tell(errors_of(entries, missed_of(entries, deliver(door, entries))), what)


def door_for(messages: Sequence[Message]) -> Door:
    """That of the handles, else the instance of the call."""
    doors = {id(m.run._runtime): m.run._runtime for m in messages if isinstance(m.run, Handle)}
    if len(doors) > 1:
        raise UsageError("send_many: these runs are in several databases: send to each by itself")
    door = next(iter(doors.values())) if doors else current_runtime()
    door.check_open()
    return door


def entry_of(door: Door, message: Message, what: str, claim: str | None, *call: str) -> MessageSent:
    """The entry of a message; the call that makes it, or its key, says which one it is."""
    run, value, topic, key = message
    if isinstance(run, Handle):
        if run._runtime.store.lock_directory != door.store.lock_directory:
            raise UsageError(f"{what}: run {run.run_id} is in another database: send to it in a step")
        run = run.run_id
    run_id = text_name(run, f"{what}: run")
    stored, _ = door.serializer.accept(value, what=f"the message to run {run_id}")
    if key is not None:
        drawn = message_id("key", run_id, text_name(key, f"{what}: key"))
    else:
        drawn = message_id("call", *call) if call else fresh_id()
    return MessageSent(run_id, claim, drawn, topic_of(topic, what), stored)


def topic_of(topic: str, what: str) -> str:
    """A topic: a name, or empty; those of answers to hooks are not for others."""
    if topic != "" and text_name(topic, f"{what}: topic").startswith(OWN_TOPICS):
        raise UsageError(f"{what}: topic={topic!r}: topics that begin with {OWN_TOPICS} are Perdure's own")
    return topic


async def send_on_loop(door: Door, entries: list[MessageSent]) -> list[BaseException]:
    """What is wrong, from an event loop."""
    return errors_of(entries, missed_of(entries, await deliver_on_loop(door, entries)))


async def told_later(sending: Awaitable[list[BaseException]], what: str) -> None:
    """The errors, once it is known."""
    tell(await sending, what)


def tell(errors: list[BaseException], what: str) -> None:
    """Raise what is wrong."""
    if errors and what == "send":
        raise errors[0]
    if errors:
        found = [error for error in errors if isinstance(error, PerdureError)]
        raise ExceptionGroup(f"{len(found)} messages reached nobody; the others were sent", found)


@overload
def recv(topic: str = "", *, timeout: Seconds | None = None, type: type[T]) -> T: ...
@overload
def recv(topic: str = "", *, timeout: Seconds | None = None, default: D, type: type[T]) -> T | D: ...
@overload
def recv(topic: str = "", *, timeout: Seconds | None = None, default: object = ...) -> Any: ...
def recv(topic: str = "", *, timeout: Seconds | None = None, default: object = REQUIRED, type: Any = None) -> Any:
    """The next message that was sent to this run under the topic, in the order in which they were sent; in a workflow.
    Waits for one, durably, however long; `await` it in an async workflow.

    After `timeout`, in seconds or as a `timedelta`, which a restart does not begin anew, `WaitTimeoutError`, or the
    `default` where one is given. `type` is what a message must be: a class, or a union of classes; another one is
    received all the same, and raises `SerializationError`. A message is received once: the commit that records it as
    received consumes it.
    """
    here = scope.get()
    if type is not None:
        check_type(type)
    if here is None or not isinstance(here, Branch):
        raise UsageError(
            "recv: a message is received by a workflow, and this is not the code of one: receive it there and hand it "
            "to the step as an argument"
        )
    branch = own_branch(here)
    seconds = limit_of(timeout, "recv: timeout")
    key = branch.next_key()
    own_limit = None if seconds is None else (branch.next_key(), max(0.0, seconds))
    flow = receive(branch.run, key, topic_of(topic, "recv"), own_limit=own_limit, limits=branch.limits)
    give = partial(given, topic=topic, seconds=seconds, default=default, expected=type)
    if branch.is_async:
        return given_later(adrive(flow, branch.run), give)
    return give(drive(flow, branch.run))


async def given_later(receiving: Awaitable[Any], give: partial[Any]) -> Any:
    """The message, once it is there."""
    return give(await receiving)


def given(found: Received | Limit | None, *, topic: str, seconds: float | None, default: object, expected: Any) -> Any:
    """What the caller gets."""
    if isinstance(found, Limit):
        raise late(found.seconds)
    if found is None:
        if default is not REQUIRED:
            return default
        raise WaitTimeoutError(f"no message{named(topic)} came within {seconds:g} seconds")
    if expected is not None and not isinstance(found.value, expected):
        raise SerializationError(
            f"the message{named(topic)} is a {type(found.value).__name__}, and recv was asked for {expected}: it is "
            "received, and the next recv gets the one after it. Send the right type, or ask for both"
        )
    return found.value


def named(topic: str) -> str:
    """The topic, for errors."""
    return f" of topic {topic!r}" if topic else ""
