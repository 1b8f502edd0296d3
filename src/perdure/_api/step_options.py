"""The options of steps: those of `@step`, and those that `call` takes, too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor
from typing import Any, Literal, TypedDict

from .._core.retry import Retry
from ..errors import UsageError
from ..typing import Seconds


class CallOptions(TypedDict, total=False):
    """See `perdure.call`."""

    retries: Retry | int
    timeout: Seconds | None
    at_most_once: bool
    pure: bool
    executor: Executor | Callable[[], Executor] | None
    isolation: Literal["process"] | None
    memory: int | None


class StepOptions(CallOptions, total=False):
    """See `perdure.step`."""

    reconcile: Callable[..., object] | None
    undo: Callable[..., object] | None
    name: str | None
    max_attempts: int
    ignore: Collection[str]
    fingerprint: Callable[..., object] | None
    key: Callable[[Any], object] | None


def check_known(options: Mapping[str, Any]) -> None:
    """Raise `UsageError` for what is no option of a step."""
    known = StepOptions.__annotations__
    if unknown := [name for name in options if name not in known]:
        given = ", ".join(f"{name}=" for name in unknown)
        raise UsageError(f"@step has no option {given}; it has {', '.join(f'{name}=' for name in known)}")
