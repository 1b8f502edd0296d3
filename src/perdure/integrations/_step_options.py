"""`StepOptions`: the options of the steps that an integration makes of what a framework calls."""

from __future__ import annotations

from typing import Any, TypedDict, cast

from .. import Retry, UsageError, call
from ..typing import Seconds


class StepOptions(TypedDict, total=False):
    """The options of a step; see `perdure.step`."""

    retries: Retry | int
    timeout: Seconds | None
    at_most_once: bool


def step_options(given: object, what: str) -> StepOptions:
    """The options, checked. Raises `UsageError`, which begins with `what`, for a name or value that cannot be."""
    options = {} if given is None else given
    if not isinstance(options, dict):
        raise UsageError(f"{what}: give a dict of step options, not {type(given).__name__}")
    unknown = [name for name in options if name not in StepOptions.__annotations__]
    if unknown:
        raise UsageError(f"{what}: {unknown[0]!r} is no option of a step; these are: retries, timeout, at_most_once")
    try:
        _try(**cast("dict[str, Any]", options))
    except UsageError as error:
        raise UsageError(f"{what}: {error}") from error
    return cast("StepOptions", options)


def _try(**options: Any) -> None:
    """Raise what a call with these options would. Nothing is awaited, so nothing happens."""
    call("the step", _nothing, **options).close()


async def _nothing() -> None:
    """The body of no step."""
