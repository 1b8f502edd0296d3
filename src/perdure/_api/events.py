"""Events: `set_event`, in a workflow; `get_event`, from anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Any, TypeVar, overload

from .._core.absent import no_run
from .._core.flow import adrive, drive
from .._core.flows.event import Found
from .._core.flows.event import get_event as get_event_flow
from .._core.flows.event import set_event as set_event_flow
from .._core.given import check_type, limit_of, text_name
from .._core.lineage import Branch, scope
from .._core.several import Limit
from .._engine.door import Door
from .._engine.hosting.asyncio.tasks import own_branch
from .._engine.watching.until_final import UntilFinal
from .._entries import EventSeen
from ..errors import RunEndedError, SerializationError, UsageError, WaitTimeoutError
from ..typing import RunId, Seconds
from .app import current_runtime, running_loop
from .driving import is_coroutine_frame
from .handle import Handle
from .messages import REQUIRED
from .waits import late, wait_until_final

T = TypeVar("T")
D = TypeVar("D")


def set_event(key: str, value: object) -> None:
    """Say something to whoever asks, under a key: `get_event(run, key)`, `handle.events()`. The last value counts.

    For workflows: `UsageError` elsewhere. It is not awaited in an async workflow either. Recorded like any call, so a
    replay says nothing anew; committed like a checkpoint: before the next step's body. It can be read while the run
    goes on and for as long as the run is kept. Raises `SerializationError` for a value that cannot be stored.
    """
    here = scope.get()
    if type(here) is not Branch:
        raise UsageError(
            "set_event() is for workflows: what a step finds out it returns, and its workflow sets the event; what is "
            "to be seen while a step runs it writes to a stream"
        )
    branch = own_branch(here)
    flow = set_event_flow(
        branch.run, branch.next_key(), text_name(key, "set_event: key"), value, is_instant=branch.is_async
    )
    drive(flow, branch.run)


@overload
def get_event(run: Handle[Any] | RunId, key: str, *, timeout: Seconds | None = None, type: type[T]) -> T: ...
@overload
def get_event(
    run: Handle[Any] | RunId, key: str, *, timeout: Seconds | None = None, default: D, type: type[T]
) -> T | D: ...
@overload
def get_event(run: Handle[Any] | RunId, key: str, *, timeout: Seconds | None = None, default: object = ...) -> Any: ...
def get_event(
    run: Handle[Any] | RunId,
    key: str,
    *,
    timeout: Seconds | None = None,
    default: object = REQUIRED,
    type: Any = None,
) -> Any:
    """What the run has last set under the key; waits until it has. `await` it in async code.

    From outside any run, from a step, and in a workflow, where the answer is recorded and the wait is durable. After
    `timeout`, in seconds or as a `timedelta`, `WaitTimeoutError`; where the run has ended without it, `RunEndedError`;
    in both cases the `default` instead where one is given. `RunNotFoundError` where there is no such run. `type` is
    what the value must be, a class or a union of classes; another one raises `SerializationError`.
    """
    if type is not None:
        check_type(type)
    run_id = run.run_id if isinstance(run, Handle) else text_name(run, "get_event: run")
    key = text_name(key, "get_event: key")
    seconds = limit_of(timeout, "get_event: timeout")
    give = partial(given, run_id=run_id, key=key, seconds=seconds, default=default, expected=type)
    here = scope.get()
    if isinstance(here, Branch):
        branch = own_branch(here) if not isinstance(run, Handle) else run.branch_in(here)
        call = branch.next_key()
        own_limit = None if seconds is None else (branch.next_key(), max(0.0, seconds))
        flow = get_event_flow(branch.run, call, run_id, key, own_limit=own_limit, limits=branch.limits)
        return given_later(adrive(flow, branch.run), give) if branch.is_async else give(drive(flow, branch.run))
    door = door_of(run)
    loop = running_loop()
    if loop is not None and is_coroutine_frame():
        return given_later(follow_on_loop(door, run_id, key, seconds), give)
    if loop is not None and loop is door.loop:
        raise UsageError(
            "get_event would block the event loop that may have to execute the run: `await` it in a coroutine"
        )
    return give(follow_here(door, run_id, key, seconds))


def door_of(run: Handle[Any] | RunId) -> Door:
    """Where to ask: the handle's own instance or client, else the instance of the call."""
    door: Door = run._runtime if isinstance(run, Handle) else current_runtime()
    door.check_open()
    return door


def follow_here(door: Door, run_id: RunId, key: str, seconds: float | None) -> Found | None:
    """Wait on this thread."""
    [seen] = door.store.said.events([(run_id, key)])
    if seen.is_final or (seconds is not None and seconds <= 0):
        return found_of(door, seen)
    seen = wait_until_final(door, run_id, door.store.said.events, (run_id, key), seconds)
    return None if seen is None else found_of(door, seen)


async def follow_on_loop(door: Door, run_id: RunId, key: str, seconds: float | None) -> Found | None:
    """The same on an event loop, which goes on meanwhile."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[EventSeen | BaseException] = loop.create_future()
    note = partial(door.wakes.wake, loop, future)
    [seen] = await asyncio.to_thread(door.store.said.events, [(run_id, key)])
    if seen.is_final or (seconds is not None and seconds <= 0):
        return found_of(door, seen)
    follower = UntilFinal(run_id, door.store.said.events, (run_id, key), note, note)
    door.following.follow(follower)
    try:
        await asyncio.wait([future], timeout=seconds)
    finally:
        door.following.forget(follower)
    return found_of(door, future.result()) if future.done() else None


def found_of(door: Door, seen: EventSeen | BaseException) -> Found | None:
    """What was seen, read."""
    if isinstance(seen, BaseException):
        raise seen
    if seen.value is not None:
        return Found(door.serializer.load(seen.value))
    return Found(missing=seen.state or "") if seen.is_final else None


async def given_later(asking: Awaitable[Any], give: partial[Any]) -> Any:
    """The event, once it is there."""
    return give(await asking)


def given(
    found: Found | Limit | None, *, run_id: RunId, key: str, seconds: float | None, default: object, expected: Any
) -> Any:
    """What the caller gets."""
    if isinstance(found, Limit):
        raise late(found.seconds)
    if found is not None and found.missing == "":
        raise no_run(run_id, " to ask for an event")
    if found is None or found.missing is not None:
        if default is not REQUIRED:
            return default
        if found is None:
            raise WaitTimeoutError(f"run {run_id} has set no event {key!r} within {seconds:g} seconds")
        raise RunEndedError(
            f"run {run_id} has ended ({found.missing}) and never set an event {key!r}",
            run_id=run_id,
            state=str(found.missing),
        )
    if expected is not None and not isinstance(found.value, expected):
        raise SerializationError(
            f"event {key!r} of run {run_id} is a {type(found.value).__name__}, and get_event was asked for {expected}"
        )
    return found.value
