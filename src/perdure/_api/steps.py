"""`call`: a step without a decorator, for a function that is somebody else's, or is made where it is needed."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar, TypeVarTuple, Unpack, overload

from .._core.definitions import Definition, find_definition
from .._core.given import flag, seconds_of, text_name
from .._core.purity import check_pure
from .._core.retry import NO_RETRY, retry_of
from .._core.tracebacks import forget_frames
from ..errors import UsageError
from .calls import call_step
from .executors import found_elsewhere, runs_in
from .step_options import CallOptions

R = TypeVar("R")
Ts = TypeVarTuple("Ts")


OPTIONS = tuple(CallOptions.__annotations__)


@overload
def call(
    name: str,
    fn: Callable[[*Ts], Coroutine[Any, Any, R]],
    /,
    *args: *Ts,
    **options: Unpack[CallOptions],
) -> Coroutine[Any, Any, R]: ...
@overload
def call(
    name: str,
    fn: Callable[[*Ts], R],
    /,
    *args: *Ts,
    **options: Unpack[CallOptions],
) -> R: ...
def call(name: str, fn: Callable[..., Any], /, *args: Any, **options: Any) -> Any:  # type: ignore[misc]  # mypy takes *Ts for no *args
    """Call `fn(*args)` as a step that is known by `name`: in a workflow its outcome is recorded, as if it were
    decorated with `@step(name=name, ...)`: `retries`, `timeout`, `at_most_once`, `pure`, `executor`, `isolation`
    and `memory` are options here, too. With the last three it is found by its own name elsewhere: it stands at the top
    level of its module.

    Of a coroutine function the result is to be awaited. Name and arguments are compared on replay, so what differs
    between two calls belongs into `args`, not into a closure. Keywords are options; those of the function go into
    `functools.partial(fn, key=value)`. In a step and outside any run it is a plain call.
    """
    definition = definition_of_call(name, fn, options)
    with suppress(ValueError):  # some builtin functions do not tell their parameters
        inspect.signature(fn).bind(*args)
    try:
        return call_step(definition, args, {})
    except BaseException as error:
        forget_frames(error)
        raise


def definition_of_call(name: str, fn: Callable[..., Any], options: dict[str, Any]) -> Definition:
    """The definition of this one call; not registered, for the workflow's code is how another process finds it."""
    if not callable(fn):
        raise UsageError(f"call({name!r}, fn, ...): give a function, not a {type(fn).__name__}")
    if find_definition(fn) is not None:
        raise UsageError(f"call({name!r}, ...): {called(fn)} is durable already, call it as it is")
    unknown = [option for option in options if option not in OPTIONS]
    if unknown:
        known = ", ".join(f"{option}=" for option in OPTIONS)
        raise UsageError(
            f"call({name!r}, ...) has no option {', '.join(unknown)}: what is the function's own goes into "
            f"functools.partial({called(fn)}, {unknown[0]}=...); options are {known}"
        )
    is_async = is_coroutine_function(fn)
    made = (ASYNC if is_async else SYNC).renamed(
        text_name(name, "call: name"), call_later(fn) if is_async else call_now(fn)
    )
    made.retry = retry_of(options.get("retries", NO_RETRY), "call")
    made.at_most_once = flag(options.get("at_most_once", False), "call: at_most_once")
    made.is_pure = flag(options.get("pure", False), "call: pure")
    timeout, executor, isolation = (options.get(option) for option in ("timeout", "executor", "isolation"))
    if executor is not None or isolation is not None or options.get("memory") is not None:
        found_elsewhere(made, fn)
        runs_in(made, executor, isolation, options.get("memory"), timeout)
    elif timeout is not None:
        made.timeout = seconds_of(timeout, "call: timeout", above_zero=True)
    made.check()
    check_pure(made)
    return made


def call_now(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The body of a sync call."""

    def body(*args: Any) -> Any:
        value = fn(*args)
        if inspect.isawaitable(value):
            if inspect.iscoroutine(value):
                value.close()
            raise UsageError(
                f"{called(fn)} is no coroutine function but gave something to await: give call() the `async def` "
                "function and its arguments, not a lambda that calls it"
            )
        return value

    return body


def call_later(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The body of an async call."""

    async def body(*args: Any) -> Any:
        try:
            return await fn(*args)
        except BaseException as error:
            forget_frames(error)
            raise

    return body


def is_coroutine_function(fn: Callable[..., Any]) -> bool:
    """Whether a call of it is to be awaited: an `async def` function, method, step or workflow, a partial of one, a
    callable object.
    """
    while isinstance(fn, functools.partial):
        fn = fn.func
    definition = getattr(fn, "__perdure__", None)
    if isinstance(definition, Definition):  # Python 3.11 does not know by the wrapper
        return definition.is_async
    called_on_objects = getattr(type(fn), "__call__", None)  # noqa: B004  # looked at, not asked for
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(called_on_objects)


def called(fn: Callable[..., Any]) -> str:
    """What people call the function."""
    return getattr(fn, "__name__", None) or type(fn).__name__


SYNC = Definition(call_now(lambda: None), "step", name="perdure:call")
ASYNC = Definition(call_later(lambda: None), "step", name="perdure:call")
