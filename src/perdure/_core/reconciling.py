"""The functions beside a step: what says what became of it when it was cut off (`reconcile=`), and what undoes it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Final

from ..errors import StepNotDoneError, UsageError
from .definitions import Definition, find_definition
from .names import name_of_function


class NotDone:
    """What a question gives whose answer is that the step did not happen."""


NOT_DONE: Final = NotDone()


def reconciling_of(step: Definition, given: Callable[..., Any]) -> Definition:
    """The definition by which it is asked: under the step's name, with its own retries. Raises `UsageError` where it
    cannot be asked in the step's place.
    """
    known = find_definition(given)
    option = f"step {step.name}: reconcile="
    if not step.at_most_once:
        raise UsageError(f"{option} is asked of a step that is not repeated: give it at_most_once=True as well")
    if known is not None and (known.kind != "step" or known.at_most_once):
        raise UsageError(f"{option}{known.name}: give a plain function, or a step that may be repeated")
    if known is not None and known.executor is not None:
        raise UsageError(
            f"{option}{known.name} has an executor or its own process: what is asked is answered here; leave it out"
        )
    function = given if known is None else known.function
    if (
        not inspect.isfunction(function)
        or inspect.isgeneratorfunction(function)
        or inspect.isasyncgenfunction(function)
    ):
        raise UsageError(f"{option}: give a function (`def`, or `async def` for an async step)")
    is_async = inspect.iscoroutinefunction(function)
    if is_async and not step.is_async:
        raise UsageError(f"{option}{name_of_function(function)} is async and the step is not: make both the same")
    check_takes(step, function, option)
    body = ask_async(function, is_async=is_async) if step.is_async else ask(function)
    asked = (step if known is None else known).renamed(step.name, body)
    asked.at_most_once, asked.is_async, asked.undo, asked.executor = False, step.is_async, None, None
    if known is None:
        asked.timeout = None
    return asked


def check_undo(step: Definition, given: Callable[..., Any]) -> None:
    """Raise `UsageError` where it cannot undo the step."""
    known = find_definition(given)
    option = f"step {step.name}: undo="
    if known is not None and known.kind != "step":
        raise UsageError(f"{option}{known.name}: give a function or a step, not a workflow")
    if "outcome" in step.signature.parameters:
        raise UsageError(
            f"{option}: the step has a parameter `outcome`, which is what its undo gets as that: rename it"
        )
    function = given if known is None else known.function
    if not inspect.isfunction(function):
        raise UsageError(f"{option}: give a function or a step")
    check_takes(step, function, option, takes_outcome="outcome" in inspect.signature(function).parameters)


def check_takes(step: Definition, function: Callable[..., Any], option: str, *, takes_outcome: bool = False) -> None:
    """Raise `UsageError` where it does not take the arguments of the step."""
    taken = inspect.signature(function)
    positional, named = parameters_of(step.signature)
    named |= {"outcome": "outcome"} if takes_outcome else {}
    try:
        taken.bind(*positional, **named)
    except TypeError as error:
        raise UsageError(
            f"{option}{function.__qualname__}{taken} is called with the arguments of {step.qualname}{step.signature}, "
            f"and does not take them: {error}"
        ) from error


def parameters_of(signature: inspect.Signature) -> tuple[list[str], dict[str, str]]:
    """Names in the place of all arguments that a call may have."""
    positional, named = [], {}
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            named[name] = name
        elif parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            positional.append(name)
    return positional, named


def ask(function: Callable[..., Any]) -> Callable[..., Any]:
    """The body of a question."""

    @functools.wraps(function)
    def body(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except StepNotDoneError:
            return NOT_DONE

    return body


def ask_async(function: Callable[..., Any], *, is_async: bool) -> Callable[..., Any]:
    """The same in an async run."""

    @functools.wraps(function)
    async def body(*args: Any, **kwargs: Any) -> Any:
        try:
            answer = function(*args, **kwargs)
            return await answer if is_async else answer
        except StepNotDoneError:
            return NOT_DONE

    return body
